"""Stages of a study on other threads, processes and a Dask cluster: the same files."""

import gc
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cluster_helpers import OPTIONS, files

import unknot
from unknot.studies import ClusterError, EpochRecorder

DRIVER = """
import sys, numpy as np, unknot
sys.path.insert(0, {here!r})
from cluster_helpers import OPTIONS
with np.load({arrays!r}) as stored:
    arrays = dict(stored)
labels = arrays.pop("labels")
print("ready", flush=True)
unknot.study(arrays, (None, labels), out=sys.argv[1], client=sys.argv[2], **OPTIONS)
"""


@pytest.fixture(scope="module")
def whole(layers, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "study"
    unknot.study(layers, data, out=folder, n_jobs=1, **OPTIONS)
    return files(folder)


def spawned(n_workers):
    return ProcessPoolExecutor(n_workers, mp_context=multiprocessing.get_context("spawn"))


def test_the_files_are_the_same_on_threads_processes_and_a_cluster(
    whole, layers, data, client, cluster, tmp_path
):
    with ThreadPoolExecutor(3) as executor:
        unknot.study(layers, data, out=tmp_path / "threads", executor=executor, **OPTIONS)
    with spawned(2) as executor:
        unknot.study(layers, data, out=tmp_path / "processes", executor=executor, **OPTIONS)
    unknot.study(layers, data, out=tmp_path / "client", client=client, **OPTIONS)
    address = cluster.scheduler_address
    unknot.study(layers, data, out=tmp_path / "address", client=address, **OPTIONS)
    for name in ("threads", "processes", "client", "address"):
        assert files(tmp_path / name) == whole, name


def test_the_dashboard_shows_stages_by_name(layers, data, client, tmp_path):
    stages = []
    unknot.study(
        layers,
        data,
        out=tmp_path / "study",
        client=client,
        on_stage=lambda *stage: stages.append(stage[:2]),
        **OPTIONS,
    )
    names = client.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.task_prefixes))
    assert {"neighbors", "map", "scores"} <= names
    assert ("fc2", "map") in stages


def test_finished_stages_are_reused_whoever_made_them(whole, layers, data, client, tmp_path):
    folder = tmp_path / "study"
    unknot.study(layers, data, out=folder, client=client, **OPTIONS)
    stages = []
    unknot.study(layers, data, out=folder, on_stage=lambda *stage: stages.append(stage), **OPTIONS)
    assert all(reused for *_, reused in stages)
    assert files(folder) == whole


def test_functions_of_the_user_are_sent_by_dask(data, client, tmp_path):
    points, labels = data
    factor = 2.0

    def own(points, labels):
        return factor * len(points)

    options = {**OPTIONS, "measures": [own, "neighborhood_hit"]}
    found = unknot.study(
        {"fc1": points}, (None, labels), out=tmp_path / "s", client=client, **options
    )
    assert found.scores.value("fc1", "own") == 800.0


def test_what_cannot_be_sent_is_said(data, tmp_path):
    lock = threading.Lock()
    options = {**OPTIONS, "measures": lambda points, labels: float(lock.locked())}
    with spawned(1) as executor, pytest.raises(ClusterError, match="cannot be sent") as raised:
        unknot.study(
            {"fc1": data[0]}, (None, data[1]), out=tmp_path / "s", executor=executor, **options
        )
    assert "fc1: " in str(raised.value)


def test_a_worker_is_killed_in_the_midst_and_the_files_are_the_same(
    whole, layers, data, client, cluster, tmp_path
):
    folder = tmp_path / "study"
    killed = []

    def kill_one(layer, stage, *_):
        if stage == "neighbors" and not killed:
            pids = client.run(os.getpid)
            killed.append(next(iter(pids.values())))
            os.kill(killed[0], signal.SIGKILL)

    unknot.study(layers, data, out=folder, client=client, on_stage=kill_one, **OPTIONS)
    assert killed
    assert files(folder) == whole
    client.wait_for_workers(2, timeout=60)


def test_a_process_pool_breaks_and_what_was_finished_is_kept(whole, layers, data, tmp_path):
    folder = tmp_path / "study"

    def kill(layer, stage, *_):
        if stage == "neighbors":
            for process in list(executor._processes.values()):
                process.kill()

    with spawned(1) as executor, pytest.raises(ClusterError, match=r"has died.*run the same again"):
        unknot.study(layers, data, out=folder, executor=executor, on_stage=kill, **OPTIONS)
    stages = []
    with spawned(1) as executor:
        unknot.study(
            layers,
            data,
            out=folder,
            executor=executor,
            on_stage=lambda *stage: stages.append(stage),
            **OPTIONS,
        )
    assert any(reused for _, stage, _, reused in stages if stage == "neighbors")
    assert files(folder) == whole


def test_the_driver_is_killed_and_the_next_one_goes_on(layers, data, cluster, tmp_path):
    np.savez(tmp_path / "arrays.npz", **layers, labels=data[1])
    script = DRIVER.format(here=str(Path(__file__).parent), arrays=str(tmp_path / "arrays.npz"))
    folder, alone = tmp_path / "study", tmp_path / "alone"
    call = [sys.executable, "-c", script, folder, cluster.scheduler_address]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "ready\n"
        parts = folder / "parts"
        waited = time.monotonic()
        while time.monotonic() - waited < 60:
            if parts.is_dir() and any("neighbors" in path.name for path in parts.iterdir()):
                break
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
    finished = {path.name for path in parts.iterdir() if not path.name.startswith(".")}
    assert finished
    subprocess.run(call, check=True, capture_output=True)
    unknot.study(layers, (None, data[1]), out=alone, n_jobs=1, **OPTIONS)
    assert files(folder) == files(alone)


def test_epochs_are_studied_on_a_cluster(data, client, tmp_path):
    points, labels = data
    found = []
    for name, options in (("alone", {}), ("client", {"client": client})):
        recorder = EpochRecorder((None, labels), out=tmp_path / name, **OPTIONS, **options)
        for epoch in (0, 1):
            recorder.capture({"fc1": points * (1 + epoch), "fc2": points[:, :8]}, epoch)
        recorder.study()
        found.append(files(tmp_path / name))
    assert found[0] == found[1]


# Bad input.


def test_a_closed_client_is_said(data, cluster, tmp_path):
    import distributed

    client = distributed.Client(cluster)
    client.close()
    with pytest.raises(ClusterError, match="client: it is closed; connect again"):
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=client, **OPTIONS)


def test_a_scheduler_that_does_not_answer_is_said_within_seconds(data, tmp_path, monkeypatch):
    from unknot._cluster import dask

    monkeypatch.setattr(dask, "ANSWER", 2)
    started = time.monotonic()
    with pytest.raises(ClusterError, match=r"tcp://127.0.0.1:9 does not answer within 2 s"):
        unknot.study(
            {"fc1": data[0]}, data, out=tmp_path / "s", client="tcp://127.0.0.1:9", **OPTIONS
        )
    assert time.monotonic() - started < 30
    with pytest.raises(ClusterError, match="no scheduler file"):
        unknot.study(
            {"fc1": data[0]}, data, out=tmp_path / "s", client=str(tmp_path / "x.json"), **OPTIONS
        )


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (None, r"something at tcp://.* takes the connection, and does not answer as a scheduler"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not the address of a scheduler, or what answers"),
    ],
)
def test_a_port_of_something_else_is_said_within_seconds(
    answers, message, data, tmp_path, monkeypatch
):
    """Such as that of the dashboard. Dask alone waits for ever, or asks for exabytes."""
    from unknot._cluster import dask

    monkeypatch.setattr(dask, "ANSWER", 2)

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            if answers is not None:
                connection.sendall(answers * 40)

    held = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        started = time.monotonic()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ClusterError, match=message):
            unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=address, **OPTIONS)
        assert time.monotonic() - started < 20
    for connection in held:
        connection.close()


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("", ValueError, "client must be the address of a scheduler, as 'tcp://host:8786'; got ''"),
        ("here", ClusterError, r"here is not the address .*Pass one such as 'tcp://host:8786'"),
        ("tls://127.0.0.1:9", ClusterError, r"wants certificates.*security="),
    ],
)
def test_what_is_no_address_is_refused(address, error, message, data, tmp_path):
    with pytest.raises(error, match=message):
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=address, **OPTIONS)


@pytest.mark.parametrize("text", ["localhost:8786", "127.0.0.1:8786", "tcp://host:1", "inproc://a"])
def test_an_address_may_have_a_scheme_or_none(text):
    import distributed

    from unknot._cluster import dask

    dask._check_address(distributed, text)


def test_a_client_that_failed_is_not_collected(monkeypatch):
    """Dask deadlocks if that happens while another client is being started."""
    import distributed

    from unknot._cluster import dask

    monkeypatch.setattr(dask, "ANSWER", 1)
    collected = []
    monkeypatch.setattr(distributed.Client, "__del__", lambda self: collected.append(id(self)))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    before = len(dask._FAILED)
    address = f"tcp://127.0.0.1:{port}"
    with (
        pytest.raises(ClusterError, match="does not answer within 1 s"),
        dask._connected(distributed, address),
    ):
        pass
    gc.collect()
    (failed,) = dask._FAILED[before:]
    assert failed.status == "closed"
    assert id(failed) not in collected


def test_a_cluster_without_workers_is_said_and_one_that_starts_some_is_awaited(
    data, tmp_path, monkeypatch
):
    import distributed

    from unknot._cluster import dask

    with (
        distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, dashboard_address=":0", memory_limit="1GB"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        monkeypatch.setattr(dask, "ANSWER", 1)
        with pytest.raises(ClusterError, match=r"has no workers.*within 1 s.*wait_for_workers"):
            unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=client, **OPTIONS)
        monkeypatch.setattr(dask, "ANSWER", 60)
        cluster.adapt(minimum=0, maximum=1)
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=client, **OPTIONS)


def test_a_worker_of_little_memory_is_refused_before_it_is_killed(
    client, data, tmp_path, monkeypatch
):
    from unknot._cluster import dask

    monkeypatch.setattr(dask, "LEAST_MEMORY", 3 * 10**9)
    with pytest.raises(ClusterError, match=r"worker tcp://.* may use 2\.0 GB.*memory_limit="):
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=client, **OPTIONS)


def test_workers_that_stay_paused_are_warned_of(monkeypatch):
    import dask
    import distributed

    from unknot._cluster import dask as module

    monkeypatch.setattr(module, "LOOK", -1)
    paused = {"distributed.worker.memory.pause": 1e-9}
    with (
        dask.config.set(paused),
        distributed.LocalCluster(1, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        started = time.monotonic()
        while {each["status"] for each in client.scheduler_info()["workers"].values()} != {
            "paused"
        }:
            assert time.monotonic() - started < 30
            time.sleep(0.1)
        workers = module.DaskWorkers(client, 1)
        assert workers.n_slots() == 2
        with pytest.warns(RuntimeWarning, match=r"paused, as their memory is nearly full: inproc"):
            workers.n_slots()


def test_a_scheduler_that_dies_in_the_midst_is_said(whole, layers, data, tmp_path):
    """And what was finished stays."""
    import distributed

    script = (
        "import distributed, time\n"
        "if __name__ == '__main__':\n"
        "    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1,\n"
        "        dashboard_address=':0', memory_limit='2GB')\n"
        "    print(cluster.scheduler_address, flush=True)\n"
        "    time.sleep(300)\n"
    )
    path = tmp_path / "cluster.py"
    path.write_text(script)
    ended = []

    def kill(layer, stage, *_):
        if stage == "neighbors" and not ended:
            ended.append(time.monotonic())
            run.kill()

    nothing = subprocess.DEVNULL
    with subprocess.Popen(
        [sys.executable, path], stdout=subprocess.PIPE, stderr=nothing, text=True
    ) as run:
        try:
            with distributed.Client(run.stdout.readline().strip()) as client:
                with pytest.raises(ClusterError, match=r"connection .* is lost .*kept"):
                    unknot.study(
                        layers, data, out=tmp_path / "s", client=client, on_stage=kill, **OPTIONS
                    )
                assert time.monotonic() - ended[0] < 10
        finally:
            run.kill()
    stages = []
    unknot.study(
        layers, data, out=tmp_path / "s", on_stage=lambda *stage: stages.append(stage), **OPTIONS
    )
    assert any(reused for _, stage, _, reused in stages if stage == "neighbors")


@pytest.mark.parametrize("client", [3, ["tcp://a"], object()])
def test_a_client_of_another_type_is_refused(client, data, tmp_path):
    with pytest.raises(TypeError, match=r"client must be a distributed\.Client"):
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=client, **OPTIONS)


def test_an_executor_of_another_type_is_refused_and_both_at_once(data, tmp_path):
    with pytest.raises(TypeError, match="executor must be a concurrent"):
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", executor="all", **OPTIONS)
    with pytest.raises(TypeError, match=r"ProcessPoolExecutor\(2\); got the class ThreadPool"):
        unknot.study(
            {"fc1": data[0]}, data, out=tmp_path / "s", executor=ThreadPoolExecutor, **OPTIONS
        )
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="pass one of them"):
        unknot.study(
            {"fc1": data[0]},
            data,
            out=tmp_path / "s",
            executor=executor,
            client=True,
            **OPTIONS,
        )


def test_an_executor_that_is_shut_down_is_said(data, tmp_path):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(ClusterError, match="is closed"):
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", executor=executor, **OPTIONS)


def test_a_worker_of_another_version_is_named(data, client, tmp_path, monkeypatch):
    from unknot._cluster import dask, workers

    monkeypatch.setattr(workers, "__version__", "9.9.9")
    monkeypatch.setattr(dask, "__version__", "9.9.9")
    with pytest.raises(ClusterError, match=r"the worker tcp://.* has unknot .*9\.9\.9") as raised:
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=client, **OPTIONS)
    assert "install the same version" in str(raised.value)
    # One that joins later is found by its first task.
    monkeypatch.setattr(workers.ExecutorWorkers, "_judge", lambda *args: None)
    with pytest.raises(ClusterError, match=r"fc1: neighbors|inputs: neighbors"):
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=client, **OPTIONS)


def test_a_folder_that_workers_do_not_see_is_named(data, client, tmp_path, monkeypatch):
    from unknot._cluster import workers

    monkeypatch.setattr(workers.Path, "write_text", lambda *args, **options: 0)
    with pytest.raises(ClusterError, match=r"does not see the folder .*pass out="):
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=client, **OPTIONS)


def test_a_task_that_needs_more_memory_than_a_worker_has_is_not_sent(client, tmp_path):
    from unknot._cluster.dask import DaskWorkers
    from unknot._parallel.lanes import Task

    workers = DaskWorkers(client, None)
    workers.check(tmp_path)
    large = Task(lambda n_threads: None, label="conv1: neighbors", n_bytes=10**9)
    with pytest.raises(ClusterError, match=r"conv1: neighbors needs about 3.0 GB.*max_memory"):
        workers.submit(large)


def test_without_dask_the_error_names_the_extra(data, tmp_path, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "distributed" else found(name)
    )
    with pytest.raises(ImportError, match=r'pip install "unknot\[cluster\]"'):
        unknot.study({"fc1": data[0]}, data, out=tmp_path / "s", client=True, **OPTIONS)


def test_import_needs_no_dask():
    script = "import sys, unknot; unknot.study; assert 'distributed' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
