"""The order of frames and the depths of slices, as each generation of headers says them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from scanreader.errors import Finding, HeaderError, LayoutError, ScanImageVersionError
from scanreader.scanimage.header import Header, release_of
from scanreader.scanimage.settings import (
    Setting,
    Settings,
    count,
    flag,
    integer_list,
    number,
    number_list,
    text,
    unchanged,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanreader.scanimage.settings import Channel, Scanning

MAX_COUNT = 2**31  # frames: more is no count
MAX_SLICES = 100_000


class Stack(NamedTuple):
    """The order of frames according to the header. Counts are of raw frames, before averaging."""

    mode: str
    """'planar' (one depth), 'fast' (each sweep in z is a volume) or 'slow' (all frames of a slice before the next)."""

    channels: int = 1
    slices: int = 1
    frames_per_slice: int = 1
    frames_per_volume: int = 1
    """Including flyback frames."""

    averaging: int = 1
    volumes: float = math.nan
    """Number of volumes requested for each acquisition; infinite or NaN if unknown."""

    def can_begin_after(self, frames: int) -> bool:
        """Whether these raw frames are a whole number of acquisitions: the next one of a loop can begin."""
        num_planned = self.frames_per_volume * (self.volumes if 1 <= self.volumes < math.inf else 1)
        return frames % int(num_planned) == 0


def whole_number(value: float, name: str) -> int:
    """Turn a count of the header into an integer.

    Raises
    ------
    LayoutError
        If it is not a whole number, infinite or missing.
    """
    if math.isfinite(value) and value == int(value) and abs(value) <= MAX_COUNT:
        return int(value)
    raise LayoutError(f"{name} should be a whole number, the header says {value!r}")


def _slices(value: float, name: str) -> int:
    """Turn the number of slices into an integer.

    Raises
    ------
    LayoutError
        If it is not one, or more than any stack has.
    """
    slices = whole_number(value, name)
    if slices > MAX_SLICES:
        raise LayoutError(f"a stack of {slices} slices ({name}) is not believed: at most {MAX_SLICES} are")
    return slices


class Rules(NamedTuple):
    """How a header is understood: functions of it."""

    find_channels: Callable[[Header, int | None], tuple[Channel, ...]]
    """Is also given the one channel of these files, where each was logged to files of its own."""
    find_stack: Callable[[Header, int, int, list[Finding]], Stack]
    """Is also given the number of channels, the number of pages, and where findings are put down."""
    find_depths: Callable[[Header, Stack, list[Finding]], list[float]]
    """Depth of each slice, in µm."""
    scanning: Callable[[Header], Scanning]
    requested_frames: Callable[[Header, Stack], float]
    """Saved frames requested of each acquisition; infinite until it is stopped, NaN if unknown."""


class Order(Settings):
    """The order of frames: a release's class has a subclass of this among its bases."""

    @classmethod
    def rules(cls) -> Rules:
        """How headers of this release are understood."""
        return Rules(cls._channels_of, cls._find_stack, cls._find_depths, cls._scanning_of, cls._requested_frames_of)

    @classmethod
    def _find_stack(cls, header: Header, channels: int, num_pages: int, findings: list[Finding]) -> Stack:
        """Find the order of frames.

        Parameters
        ----------
        header : Header
        channels : int
            Channels of each frame.
        num_pages : int
            Of all files: where a header says two things, they decide.
        findings : list of Finding
            Where is put down what the user should know.

        Raises
        ------
        LayoutError, HeaderError, ScanImageVersionError
            If the header does not say it, or contradicts itself.
        """
        raise NotImplementedError

    @classmethod
    def _find_depths(cls, header: Header, stack: Stack, findings: list[Finding]) -> list[float]:
        """Find the depth of each slice, in µm; NaN if unknown."""
        raise NotImplementedError

    @classmethod
    def _averaging_of(cls, header: Header) -> int:
        a = cls.averaging.of(header)
        return 1 if math.isnan(a) else max(1, whole_number(a, "hScan2D.logAverageFactor"))

    @classmethod
    def _requested_frames_of(cls, header: Header, stack: Stack) -> float:
        """Number of saved frames requested for an acquisition; infinite until it is stopped, NaN if unknown."""
        if stack.mode == "planar":
            frames = cls._frames_per_slice.of(header) / stack.averaging
        else:
            frames = cls._requested_volumes.of(header) * stack.frames_per_slice / stack.averaging
        return math.floor(frames) if math.isfinite(frames) else frames


def _checked_depths(zs: list[float], stack: Stack, findings: list[Finding]) -> list[float]:
    if len(zs) == stack.slices:
        return zs
    sentence = f"{len(zs)} depths (hStackManager.zs) do not fit {stack.slices} slices: depths are unknown"
    findings.append(Finding("header-mismatch", "warning", "", sentence))
    return [math.nan] * stack.slices


class StackManagerOrder(Order):
    """By the stack manager's settings: since 2019b."""

    @classmethod
    def _find_stack(cls, header: Header, channels: int, num_pages: int, findings: list[Finding]) -> Stack:
        """The order of frames by the stack manager's settings (since 2019b)."""
        manager = "hStackManager."
        a = cls._averaging_of(header)
        f, s = cls._frames_per_slice.of(header), count(header.get(manager + "actualNumSlices"))
        t = count(header.get(manager + "numFramesPerVolumeWithFlyback"))
        u = count(header.get(manager + "numFramesPerVolume"))
        # A header that does not say whether the stack was on does so by the volume's frames: 1 where it was off.
        switch = header.get(manager + "enable", u > 1 if math.isfinite(u) else None)
        if switch is None and s > 1:
            raise LayoutError(
                f"the header has {s:g} slices and does not say whether the stack was on (hStackManager.enable)"
            )
        if not flag(switch) or f == math.inf:
            return Stack("planar", channels=channels, averaging=a)
        if math.isnan(s):
            s = len(cls._zs.of(header)) / f if f else math.nan
        u = s * f if math.isnan(u) else u
        if s <= 1 and (not math.isfinite(t) or not math.isfinite(u) or t <= u):
            return Stack("planar", channels=channels, averaging=a)
        slices = _slices(s, "hStackManager.actualNumSlices")
        frames = whole_number(f, "hStackManager.framesPerSlice")
        useful_frames = whole_number(u, "hStackManager.numFramesPerVolume")
        total = whole_number(t, "hStackManager.numFramesPerVolumeWithFlyback")
        if useful_frames != slices * frames:
            raise LayoutError(
                f"{slices} slices (actualNumSlices) of {frames} frames (framesPerSlice) are not the {useful_frames} "
                "frames of a volume (numFramesPerVolume)"
            )
        mode = text(header.get(manager + "stackMode"))
        if mode not in ("fast", "slow"):
            raise LayoutError(f"stackMode is {mode!r}, 'fast' or 'slow' was expected")
        if mode == "slow" and total != useful_frames:
            raise LayoutError(
                f"a slow stack has no flyback frames, but a volume has {total} frames "
                f"(numFramesPerVolumeWithFlyback) of which {useful_frames} are of its slices"
            )
        return Stack(mode, channels, slices, frames, total, a, cls._requested_volumes.of(header))

    @classmethod
    def _find_depths(cls, header: Header, stack: Stack, findings: list[Finding]) -> list[float]:
        """Depth of each slice, in µm: since 2019b each z is repeated for every frame of its slice."""
        zs = cls._zs.of(header)
        if stack.mode == "planar":
            return zs[:1] or [math.nan]
        if len(zs) == stack.slices * stack.frames_per_slice:
            return zs[:: stack.frames_per_slice]
        return _checked_depths(zs, stack, findings)


class FastZOrder(Order):
    """By the settings of fast z, of one frame a slice, or of a slow stack: 5.1 to 5.6, 2015.0 to 2019a."""

    _requested_volumes = Setting(count, "hFastZ.numVolumes", doc="Number of requested volumes.")

    @classmethod
    def _find_stack(cls, header: Header, channels: int, num_pages: int, findings: list[Finding]) -> Stack:
        a = cls._averaging_of(header)
        if flag(header.get("hFastZ.enable")):
            return cls._find_fast_stack(header, channels, a)
        slices, frames = cls._requested_slices.of(header), cls._frames_per_slice.of(header)
        if "hFastZ.enable" not in header and "hFastZ.numFramesPerVolume" in header and slices > 1:
            raise LayoutError(
                f"the header has {slices:g} slices and does not say whether they were scanned fast or slow "
                "(hFastZ.enable)"
            )
        if not slices > 1 or frames == math.inf:
            return Stack("planar", channels=channels, averaging=a)
        s = _slices(slices, "hStackManager.numSlices")
        f = whole_number(frames, "hStackManager.framesPerSlice")
        return Stack("slow", channels, s, f, s * f, a)

    @classmethod
    def _find_fast_stack(cls, header: Header, channels: int, averaging: int) -> Stack:
        """A volume of `numFramesPerVolume` frames, flyback included, of one frame a slice."""
        total = count(header.get("hFastZ.numFramesPerVolume"))
        flyback = count(header.get("hFastZ.numDiscardFlybackFrames"))
        if header.get("hFastZ.discardFlybackFrames") in (False, 0):  # before 5.4 the user's own switch
            flyback = 0
        slices_in_acquisition = count(header.get("hStackManager.slicesPerAcq"))
        candidates = [n for n in (cls._requested_slices.of(header), len(cls._zs.of(header))) if n >= 1]
        slices = slices_in_acquisition if slices_in_acquisition >= 1 else max(candidates, default=1)
        if math.isfinite(total) and math.isfinite(flyback) and total - flyback != slices:
            fitting_counts = [n for n in candidates if n == total - flyback]
            if not fitting_counts and (slices > 1 or total > 1):
                raise LayoutError(
                    f"a volume of {total:g} frames (hFastZ.numFramesPerVolume) with {flyback:g} flyback frames "
                    f"(numDiscardFlybackFrames) is not one of {slices:g} slices"
                )
            slices = fitting_counts[0] if fitting_counts else slices
        if math.isnan(total):
            if slices > 1:
                raise LayoutError(
                    f"the header does not say how many frames a volume of {slices:g} slices has "
                    "(hFastZ.numFramesPerVolume)"
                )
            total = 1
        s = _slices(slices, "hStackManager.numSlices")
        t = whole_number(total, "hFastZ.numFramesPerVolume")
        if s <= 1 and t <= 1:
            return Stack("planar", channels=channels, averaging=averaging)
        return Stack("fast", channels, s, 1, t, averaging)

    @classmethod
    def _find_depths(cls, header: Header, stack: Stack, findings: list[Finding]) -> list[float]:
        """Depth of each slice: each z stands once; without a stack it is where the fast z actuator stood."""
        if stack.mode == "planar":
            at = cls.fast_z_position.of(header)
            return [at] if math.isfinite(at) else cls._zs.of(header)[:1] or [math.nan]
        zs = cls._zs.of(header)
        if len(zs) != stack.slices and flag(header.get("hFastZ.useArbitraryZs")):
            zs = number_list(header.get("hFastZ.userZs"))
        return _checked_depths(zs, stack, findings)


class PlanarOrder(Order):
    """Recordings of 4.x and 5.0, of which only those without a stack can be read."""

    _channels_saved = Setting(integer_list, "channelsSave", doc="Numbers of the channels saved.")
    _channel_names = Setting(unchanged, "channelsName", doc="Names of all channels.")
    _frames_per_slice = Setting(count, "acqNumFrames", doc="Raw frames a slice.")

    @classmethod
    def _channel_numbers_of(cls, header: Header) -> list[int]:
        """Numbers of the channels saved, from 1; none if the header does not say: `_find_stack` refuses that."""
        return cls._channels_saved.of(header)

    @classmethod
    def _find_stack(cls, header: Header, channels: int, num_pages: int, findings: list[Finding]) -> Stack:
        slices = count(header.get("stackNumSlices"))
        switches = [header[name] for name in ("fastZEnable", "fastZActive") if name in header]
        is_on = any(flag(switch) for switch in switches)
        if not cls._channels_saved.of(header) or not slices <= 1 or not switches or is_on:
            raise ScanImageVersionError(
                f"the order of pages of this ScanImage {release_of(header)} recording is unknown: it needs "
                "channelsSave, stackNumSlices = 1 and fastZEnable = false, and the header says "
                f"{cls._channels_saved.of(header)}, {slices:g} and {switches}"
            )
        return Stack("planar", channels=channels, averaging=cls._averaging_of(header))

    @classmethod
    def _find_depths(cls, header: Header, stack: Stack, findings: list[Finding]) -> list[float]:
        return [math.nan]


class LegacyOrder(Order):
    """Frames or slices: 3.x never wrote several of both, so a header that says so is refused."""

    _frames_per_slice = Setting(count, "acq.numberOfFrames", doc="Raw frames a slice.")
    _requested_slices = Setting(count, "acq.numberOfZSlices", doc="Slices, as the user set them.")

    @classmethod
    def _channel_numbers_of(cls, header: Header) -> list[int]:
        """Channels that were both acquired and saved.

        Raises
        ------
        HeaderError
            If there is none.
        """
        saved = [
            n
            for n in range(1, 5)
            if flag(header.get(f"acq.savingChannel{n}")) and flag(header.get(f"acq.acquiringChannel{n}", 1))
        ]
        if not saved:
            raise HeaderError("the header says that no channel was saved", raw_helps=True)
        return saved

    @classmethod
    def _is_resonant(cls, header: Header) -> bool:
        """3.x scanned with galvos."""
        return False

    @classmethod
    def _find_stack(cls, header: Header, channels: int, num_pages: int, findings: list[Finding]) -> Stack:
        """Frames or slices: 3.x never wrote several of both, so a header that says so is refused."""
        a, slices = cls._averaging_of(header), cls._requested_slices.of(header)
        if not slices > 1:
            return Stack("planar", channels=channels, averaging=a)
        s = _slices(slices, "state.acq.numberOfZSlices")
        frames = cls._frames_per_slice.of(header)
        if frames in (1, a):
            return Stack("slow", channels, s, a, s * a, a)
        if num_pages == s * channels:
            sentence = f"{frames:g} frames a slice (numberOfFrames), but one page of each"
            findings.append(Finding("header-mismatch", "warning", "", sentence))
            return Stack("slow", channels, s, a, s * a, a)
        raise LayoutError(
            f"{frames:g} frames (state.acq.numberOfFrames) and {s} slices (numberOfZSlices) in {num_pages} "
            "pages: which come first is unknown"
        )

    @classmethod
    def _find_depths(cls, header: Header, stack: Stack, findings: list[Finding]) -> list[float]:
        """Depths relative to the first slice."""
        step = number(header.get("acq.zStepSize"))
        return [0.0, *(i * step for i in range(1, stack.slices))]


class PageOrder(Order):
    """One channel, every page a frame: TIFFs that ScanImage did not write."""

    @classmethod
    def _channel_numbers_of(cls, header: Header) -> list[int]:
        return [1]

    @classmethod
    def _find_stack(cls, header: Header, channels: int, num_pages: int, findings: list[Finding]) -> Stack:
        return Stack("planar")

    @classmethod
    def _find_depths(cls, header: Header, stack: Stack, findings: list[Finding]) -> list[float]:
        return [math.nan]
