"""The header texts, as each release writes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scanreader.simulate.frames import raw_volume
from scanreader.simulate.layout import page_shape
from scanreader.simulate.literals import Cell, Column, json_header, literal, plain_header, roi_json
from scanreader.simulate.releases import TABLE
from scanreader.simulate.rois import roi, roi_groups, scanfield

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scanreader.simulate.plan import Plan


def header_settings(plan: Plan) -> dict[str, Any]:
    """All settings of the header; names without ``SI.``."""
    release = TABLE[plan.release]
    style = release.style
    rows, columns = page_shape(plan)
    line_period = 1 / plan.scanner_frequency / (2 if plan.bidirectional else 1)
    if not plan.resonant:
        line_period = 0.001
    flyback_lines = (
        math.ceil(plan.flyback_time * plan.scanner_frequency) * (2 if plan.bidirectional else 1) if plan.resonant else 0
    )
    period = (rows * plan.lines_averaged + flyback_lines) * line_period
    frames_per_volume = 1 if plan.mode == "planar" else len(raw_volume(plan))
    corners = [[-6, -6], [6, -6], [6, 6], [-6, 6]]
    settings: dict[str, Any] = {
        "LINE_FORMAT_VERSION": 1,
        "TIFF_FORMAT_VERSION": style.format_version,
        "VERSION_MAJOR": release.version[0],
        "VERSION_MINOR": release.version[1],
        "acqState": "loop" if plan.loops > 1 else "grab",
        "acqsPerLoop": plan.loops,
        "hChannels.channelAdcResolution": Cell([14] * 4),
        "hChannels.channelLUT": Cell([[0, 1500]] * 4),
        "hChannels.channelMergeColor": Cell(["green", "red", "red", "red"]),
        "hChannels.channelName": Cell([f"Channel {n}" for n in range(1, 5)]),
        "hChannels.channelOffset": [412, -37, 0, 0],
        "hChannels.channelSave": (list if style.has_sample_position else Column)(plan.channels),
        "hChannels.channelSubtractOffset": [True] * 4,
        "hChannels.channelsActive": Column([1, 2, 3, 4]),
        "hChannels.channelsAvailable": 4,
        "hChannels.loggingEnable": 1,
        "hFastZ.discardFlybackFrames": plan.flyback > 0,
        "hFastZ.enable": plan.mode == "fast",
        "hFastZ.flybackTime": 0.02,
        "hFastZ.numDiscardFlybackFrames": plan.flyback,
        "hRoiManager.imagingFovDeg": [] if plan.rois else corners,
        "hRoiManager.imagingFovUm": [] if plan.rois else [[15 * v for v in c] for c in corners],
        "hRoiManager.linePeriod": line_period,
        "hRoiManager.linesPerFrame": 512 if plan.rois else rows * plan.lines_averaged,
        "hRoiManager.mroiEnable": int(bool(plan.rois)),
        "hRoiManager.pixelsPerLine": 512 if plan.rois else columns,
        "hRoiManager.scanAngleMultiplierFast": 1,
        "hRoiManager.scanAngleMultiplierSlow": 1,
        "hRoiManager.scanFramePeriod": period,
        "hRoiManager.scanFrameRate": 1 / period,
        "hRoiManager.scanVolumeRate": 1 / period / frames_per_volume,
        "hRoiManager.scanZoomFactor": 1.5,
        "hScan2D.bidirectional": plan.bidirectional,
        "hScan2D.channelsDataType": plan.dtype,
        "hScan2D.fillFractionSpatial": 0.9,
        "hScan2D.fillFractionTemporal": 0.712867,
        "hScan2D.flybackTimePerFrame": plan.flyback_time,
        "hScan2D.flytoTimePerScanfield": plan.flyto,
        "hScan2D.hasResonantMirror": plan.resonant,
        "hScan2D.logAverageFactor": plan.averaging,
        "hScan2D.logFramesPerFile": plan.frames_per_file or math.inf,
        "hScan2D.mask": Column([16, 15, *[12] * 508, 15, 16]),
        "hScan2D.scannerFrequency": plan.scanner_frequency if plan.resonant else math.nan,
        "hScan2D.scannerType": ("Resonant" if plan.resonant else "Linear"),
        "hScan2D.uniformSampling": False,
        "hStackManager.framesPerSlice": plan.frames_per_slice,
        "hStackManager.numSlices": len(plan.zs),
        "imagingSystem": "ImagingScanner",
        "loopAcqInterval": 10,
        "objectiveResolution": 15,
    }
    if plan.lines_averaged > 1:
        settings["hScan2D.LineAveragingLineCount"] = plan.lines_averaged
    settings |= _stack_manager(plan, frames_per_volume) if style.has_stack_manager else _fast_z(plan, frames_per_volume)
    if style.has_stack_manager:
        settings["hScan2D.scannerType"] = "RGG" if plan.resonant else "GG"
        settings["hScan2D.scanMode"] = "resonant" if plan.resonant else "linear"
    if style.has_sample_position:
        settings |= {
            "PREMIUM": True,
            "VERSION_UPDATE": 0,
            "hChannels.channelName": Cell([f"Channel {n}" for n in range(1, 65)]),
            "hFastZ.position": 0,
            "hMotors.axesPosition": [12.5, 1840, 655],
            "hMotors.samplePosition": [-12.5, -1840, -655],
        }
    else:
        settings["hMotors.motorPosition"] = [-12.5, -1840, -655]
    settings |= _side_settings(plan)
    release_settings = {**{release.name_of(name): value for name, value in settings.items()}, **plan.settings}
    return {name: value for name, value in release_settings.items() if value is not None}


def _side_settings(plan: Plan) -> dict[str, Any]:
    """What was stimulated, integrated and corrected while recording."""
    settings: dict[str, Any] = {}
    if plan.photostim:
        settings |= {
            "hPhotostim.autoTriggerPeriod": plan.stimulus_period,
            "hPhotostim.logging": True,
            "hPhotostim.monitoringSampleRate": 9000,
            "hPhotostim.numSequences": math.inf,
            "hPhotostim.sequenceSelectedStimuli": [group + 1 for group in plan.stimulus_sequence],
            "hPhotostim.stimImmediately": True,
            "hPhotostim.stimTriggerTerm": "",
            "hPhotostim.stimulusMode": "sequence",
            "hPhotostim.syncTriggerTerm": 9,
        }
    if plan.integration_rois:
        settings["hIntegrationRoiManager.enable"] = True
    if plan.motion is not None:
        settings["hMotionManager.enable"] = True
    return settings


def frame_period(plan: Plan, settings: Mapping[str, Any]) -> Any:
    """Frame period by the header, in s."""
    return settings[TABLE[plan.release].name_of("hRoiManager.scanFramePeriod")]


def _stack_manager(plan: Plan, frames_per_volume: int) -> dict[str, Any]:
    """How volumes were scanned, since 2019b: each z is listed once for every raw frame of its slice."""
    is_stack = plan.mode != "planar"
    raw_zs = [z for z in plan.zs for _ in range(plan.frames_per_slice)] if is_stack else [plan.zs[0]]
    return {
        "hStackManager.actualNumSlices": len(plan.zs) if is_stack else 1,
        "hStackManager.actualNumVolumes": plan.volumes if is_stack else 1,
        "hStackManager.enable": is_stack,
        "hStackManager.numFramesPerVolume": frames_per_volume - plan.flyback if is_stack else 1,
        "hStackManager.numFramesPerVolumeWithFlyback": frames_per_volume,
        "hStackManager.numVolumes": plan.volumes,
        "hStackManager.stackActuator": "fastZ" if plan.mode == "fast" else "motor",
        "hStackManager.stackDefinition": "arbitrary" if is_stack else "uniform",
        "hStackManager.stackMode": "fast" if plan.mode == "fast" else "slow",
        "hStackManager.zs": raw_zs,
        "hStackManager.zsAllActuators": Column(raw_zs),
        "hStackManager.zsRelative": Column(raw_zs),
    }


def _fast_z(plan: Plan, frames_per_volume: int) -> dict[str, Any]:
    """How volumes were scanned, before 2019b: each z is listed once."""
    is_fast = plan.mode == "fast"
    return {
        "hFastZ.numFramesPerVolume": frames_per_volume if is_fast else [],
        "hFastZ.numVolumes": plan.volumes,
        "hFastZ.positionTarget": plan.zs[0],
        "hFastZ.useArbitraryZs": is_fast,
        "hFastZ.userZs": list(plan.zs),
        "hStackManager.slowStackWithFastZ": False,
        "hStackManager.zs": list(plan.zs),
    }


def header_text(plan: Plan, settings: Mapping[str, Any]) -> str:
    """Write the header of 5.1 and later: settings with nested names."""
    return json_header(settings) if plan.json_headers else plain_header(settings, TABLE[plan.release].style.digits)


def roi_text(plan: Plan) -> str:
    """Write the JSON of the ROIs, without the NUL that ends it in the file."""
    if plan.rois:
        return roi_json(roi_groups(plan.rois, photostim=plan.photostim, integration=plan.integration_rois)) + "\n"
    full_frame = scanfield(size=(12.0, 12.0), pixels=(plan.width, plan.height * plan.lines_averaged))
    default_roi = roi(full_frame, name="Default Imaging Roi")
    groups = roi_groups([default_roi], "Default Imaging ROI Group", plan.photostim, plan.integration_rois)
    return roi_json(groups) + "\n"


def legacy_header(plan: Plan) -> str:
    """Write the header of 3.8: ``state.*`` lines that end with a carriage return."""
    settings: dict[str, Any] = {
        "configName": "simulated",
        "software.version": 3.8,
        "software.minorRev": 0,
        "acq.numberOfZSlices": len(plan.zs),
        "acq.zStepSize": plan.zs[1] - plan.zs[0] if len(plan.zs) > 1 else 1,
        "acq.numAvgFramesSave": plan.averaging,
        "acq.averaging": int(plan.averaging > 1),
        "acq.numberOfFrames": plan.frames_per_slice,
        "acq.linesPerFrame": plan.height,
        "acq.pixelsPerLine": plan.width,
        "acq.frameRate": 3.90625,
        "acq.zoomFactor": 2,
        "acq.msPerLine": 1,
        "acq.fillFraction": 0.8192,
        "acq.bidirectionalScan": int(plan.bidirectional),
        "acq.framesPerFile": plan.frames_per_file or math.inf,
        **{f"acq.acquiringChannel{n}": int(n in plan.channels) for n in range(1, 5)},
        **{f"acq.savingChannel{n}": int(n in plan.channels) for n in range(1, 5)},
        "motor.absXPosition": 659.6,
        "motor.absYPosition": -10386.6,
        "motor.absZPosition": -8068.4,
        "internal.triggerTimeString": "10/9/2017 16:57:07.967",
    }
    return "".join(f"state.{name}={literal(value)}\r" for name, value in {**settings, **plan.settings}.items())


def flat_header(plan: Plan, nested_settings: Mapping[str, Any]) -> str:
    """Write the header of 5.0: settings with flat names."""
    settings: dict[str, Any] = {
        "VERSION_MAJOR": int(plan.release.split(".")[0]),
        "VERSION_MINOR": int(plan.release.split(".")[1]),
        "acqNumAveragedFrames": plan.averaging,
        "acqNumFrames": plan.frames_per_slice,
        "bidirectionalAcq": plan.bidirectional,
        "channelsSave": Column(plan.channels),
        "fastZEnable": plan.mode == "fast",
        "fastZNumVolumes": plan.volumes,
        "fillFraction": 0.9,
        "fillFractionTime": 0.712867,
        "loggingFramesPerFile": plan.frames_per_file or math.inf,
        "scanFramePeriod": frame_period(plan, nested_settings),
        "stackNumSlices": len(plan.zs),
        "zoomFactor": 3,
    }
    all_settings = {**settings, **plan.settings}
    return plain_header({name: value for name, value in all_settings.items() if value is not None})
