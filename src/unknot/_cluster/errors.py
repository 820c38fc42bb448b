"""The error of a cluster."""


class ClusterError(RuntimeError):
    """Raised where workers cannot be reached, or cannot do a task; the message has the remedy.

    What was finished before is kept: the same call goes on from there.

    See Also
    --------
    unknot.study : Takes an executor or a Dask client.
    unknot.study_many : Studies many models, each as a task.
    """
