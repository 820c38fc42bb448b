"""Capturing epochs: the model runs on the sample, and what its layers give is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..._io.lock import FolderInUseError
from ..._parallel.lanes import run_programs
from .._metadata import MetadataColumn
from .._pipeline.control import deciding_control
from .._pipeline.data import StudyData
from .._pipeline.extraction import (
    Extracted,
    deciding,
    described,
    extract_control,
    extract_layers,
)
from .._pipeline.heads import find_head
from .._pipeline.layers import layers_of
from .._pipeline.measuring import HEADS
from .._pipeline.metadata import store_metadata
from .._pipeline.stages import Stages, prepare_data
from .._pipeline.untrained import given_control, is_given
from .._store.saving import writing
from .captures import Capture, CaptureList, parts_of, read_captures, reopen
from .ownership import FolderClaim
from .studying import FreshControl, Recording

if TYPE_CHECKING:
    from ...representations import Adapter


class Captures:
    """The epochs that a recorder has captured.

    Parameters
    ----------
    stages : Stages
        Of the study; its folder may still be changed before the first capture.
    data : StudyData
    columns : dict of str to MetadataColumn
    options : dict
        Of the extraction.
    forward : callable or None
    untrained : bool, model, callable or None
    name : str or None
        What the model is called; by default its own name.
    notes : tuple of str
        On the settings.
    keep_points : bool
    reported : callable
        Told what a person should know, and of what kind it is.

    Attributes
    ----------
    is_shared : bool
        Whether other processes could write to the folder, as it is not a temporary one.
    found : dict of int to Capture
    recording : Recording or None
        None before the first capture.
    fresh : FreshControl or None
    unsent : set of int
        Those that a live page does not know.
    """

    def __init__(
        self,
        stages: Stages,
        data: StudyData,
        columns: dict[str, MetadataColumn],
        options: dict[str, Any],
        forward: Any,
        untrained: Any,
        name: str | None,
        notes: tuple[str, ...],
        keep_points: bool,
        reported: Callable[[str, str], None],
    ) -> None:
        self._stages, self._data, self._columns = stages, data, columns
        self._options, self._forward, self._untrained = options, forward, untrained
        self._notes, self._keep_points = notes, keep_points
        self._reported = reported
        self._owner = FolderClaim()
        self._fingerprint = data.fingerprint
        self._earlier: CaptureList | None = None
        self.name = name
        self.is_shared = True
        self.found: dict[int, Capture] = {}
        self.recording: Recording | None = None
        self.fresh: FreshControl | None = None
        self.unsent: set[int] = set()

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs, in order, with those of an earlier run."""
        earlier = () if self._earlier is None else tuple(self._earlier.parts)
        return tuple(sorted({*earlier, *self.found}))

    def resume(self) -> None:
        """Begin with what an earlier run has captured, if it was of the same samples and settings.

        Raises
        ------
        ValueError
            If it was of others.
        StudyError
            If the list of what was captured is damaged.
        """
        folder = self._stages.folder
        found = read_captures(folder)
        if found is None:
            return
        if found.data != self._fingerprint:
            raise ValueError(
                f"out: {folder} holds epochs of other samples or labels, which cannot stand beside "
                "those of this sample; pass the same sample, or another folder"
            )
        decided = self._list({}).decided
        if differing := sorted(key for key in decided if found.decided.get(key) != decided[key]):
            raise ValueError(
                f"out: the epochs in {folder} were captured with other settings of "
                f"{', '.join(differing)}; pass the same, or another folder"
            )
        self.name = self.name or found.name
        self._earlier = found

    def open_earlier(self) -> None:
        """Open all that an earlier run has captured, where nothing more is captured."""
        if self._earlier is not None:
            with writing(self._stages.folder):
                self.claim()
                had_control = self._earlier.has_control
                self._open(takes_ids=self._earlier.takes_ids)
            if had_control:
                why = "no untrained control: this run has captured no model"
                self.fresh = FreshControl(None, why, "", {})

    def add(self, model: Any, epoch: int, layers: Any, *, alone: bool) -> None:
        """Run the model and store its layers; as `EpochRecorder.capture`.

        Parameters
        ----------
        alone : bool
            Whether no other process writes to the folder.
        """
        from ...representations import check_forward, find_adapter

        data = self._data
        options = self._options if layers is None else {**self._options, "layers": layers}
        adapter = find_adapter(data.rows_of(model))
        adapter.forward = check_forward(self._forward, adapter)
        if data.fingerprint != self._fingerprint:
            raise ValueError(
                "sample: its arrays were changed since the recorder was made, so that epoch "
                f"{epoch} would be of other samples than those before; pass a copy to the recorder"
            )
        self.name = self.name or adapter.name
        with writing(self._stages.folder, alone=alone):
            self.claim()
            recording = self._open(takes_ids=adapter.takes_ids(data.inputs), before=epoch)
            extracted = extract_layers(
                self._stages,
                adapter,
                data,
                recording.data_part,
                options,
                prefix=f"epoch-{epoch:04d}-",
            )
            if self.fresh is None and self._wants_fresh(adapter, epoch):
                self.fresh = self._draw_fresh(adapter, extracted, recording, options)
            capture = Capture(extracted, self._head(adapter, extracted, recording))
            if epoch in self.found:
                self.begin(epoch)
            found = {**self.found, epoch: capture}
            self._list(found).write(self._stages.folder)
            self.found = found
        self.unsent.intersection_update(found)
        self.unsent.add(epoch)

    def claim(self) -> None:
        """Take the folder for this recorder, if others could write to it.

        Raises
        ------
        FolderInUseError
            If another recorder has it, or has captured into it after this one's study.
        """
        if not self.is_shared or not self._owner.take(self._stages.folder) or not self.found:
            return
        folder = self._stages.folder
        listed = read_captures(folder)
        if listed is None or listed.parts != self._list(self.found).parts:
            self._owner.release(folder)
            raise FolderInUseError(
                f"{folder}: another recorder has recorded into it since this one's study; give "
                "each recorder a folder of its own"
            )

    def release(self) -> None:
        """Let other recorders have the folder."""
        self._owner.release(self._stages.folder)

    def begin(self, epoch: int) -> None:
        """Leave out what was captured after an epoch at which a training begins again."""
        if later := sorted(each for each in self.found if each > epoch):
            self._reported(
                f"a training begins again at epoch {epoch}, so what was captured of the one "
                f"before is left out: epochs {', '.join(map(str, later))}. To keep them, make a "
                "recorder for each training; to go on with a training, count its epochs on",
                "again",
            )
            self.found = {each: there for each, there in self.found.items() if each <= epoch}

    def _open(self, *, takes_ids: bool, before: int | None = None) -> Recording:
        """Store the data, and open the epochs of an earlier run, once.

        Those from ``before`` on are of a run that was further than this one is.
        """
        data, stages = self._data, self._stages
        if self.recording is None:
            part, paths = prepare_data(stages, data, self._fingerprint, takes_ids=takes_ids)
            self.recording = Recording(
                data.labelings,
                part,
                paths | store_metadata(stages, self._columns),
                (*self._notes, *data.notes),
                {**described(self._options), "project": self._options["project"]},
                self._keep_points,
                takes_ids,
            )
        if self._earlier is not None:
            opened = reopen(
                stages.folder, self._earlier, data.labelings, self.recording.data_part, stages.log
            )
            self.found = {
                epoch: capture
                for epoch, capture in opened.items()
                if before is None or epoch < before
            }
            self.unsent.update(self.found)
            self._earlier = None
        return self.recording

    def _list(self, captures: Mapping[int, Capture]) -> CaptureList:
        return CaptureList(
            self._fingerprint,
            deciding(self._options),
            self.name or "",
            self.recording is not None and self.recording.takes_ids,
            self.fresh is not None,
            {epoch: parts_of(capture) for epoch, capture in captures.items()},
        )

    def _wants_fresh(self, adapter: Adapter, epoch: int) -> bool:
        """Whether fresh weights are drawn: by default where the network before training lacks."""
        if self._untrained is None:
            return adapter.computes and epoch != 0 and 0 not in self.found
        return self._untrained is not False

    def _draw_fresh(
        self,
        adapter: Adapter,
        extracted: Extracted,
        recording: Recording,
        options: dict[str, Any],
    ) -> FreshControl:
        """Run the network with fresh weights; if it cannot be, a note says why."""
        stages, data = self._stages, self._data
        is_own = self._untrained is not None and is_given(self._untrained)
        given = given_control(adapter, self._untrained, data.inputs) if is_own else None
        decided = deciding_control(options, given)
        program = extract_control(
            stages,
            stages.log,
            adapter,
            extracted,
            data,
            recording.data_part,
            options,
            given,
        )
        try:
            ((drawn, how, note),) = run_programs([program], 1, stages.whole_bytes)
        except Exception as error:
            if is_own:
                raise
            # Such as no memory for a second model. The epoch itself is worth more.
            why = f"no untrained control: {type(error).__name__}: {error}"
            return FreshControl(None, why, "", decided)
        return FreshControl(drawn, how, note, decided)

    def _head(
        self, adapter: Adapter, extracted: Extracted, recording: Recording
    ) -> tuple[str, Any] | None:
        """Return the classifier's head at this epoch, if a measure needs it."""
        if not HEADS & set(self._stages.settings.measures):
            return None
        records, sources = layers_of(extracted, recording.data_part, recording.n_samples)
        answered = extracted.answers[next(iter(recording.labelings))]
        return find_head(self._stages, adapter, records, sources, answered)
