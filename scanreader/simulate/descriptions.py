"""The description of each page, in the style of the logger that writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanreader.simulate.releases import TABLE

if TYPE_CHECKING:
    from scanreader.simulate.plan import Logged, Plan


def description(plan: Plan, frame: Logged, period: float) -> str:
    """Make the description of each page of a frame, in the style of the logger."""
    seconds = (frame.number - 1) * period
    year, month, day, hours, minutes, sec = plan.epoch
    values: dict[str, str] = {
        "frameNumbers": f"{frame.number}",
        "acquisitionNumbers": f"{frame.acquisition_number}",
        "frameNumberAcquisition": f"{frame.in_acquisition}",
        "frameTimestamps_sec": f"{seconds:.9f}",
        "acqTriggerTimestamps_sec": "-0.000087000" if frame.in_acquisition == 1 else "-1.000000000",
        "nextFileMarkerTimestamps_sec": "-1.000000000",
        "endOfAcquisition": f"{int(frame.ends_acquisition)}",
        "endOfAcquisitionMode": "0",
        "dcOverVoltage": "0",
    }
    if plan.slot is None or not plan.resonant:
        values["frameTimestamps_sec"] = f"{seconds:f}"
        text = "".join(f"{name} = {value}\n" for name, value in values.items())
        clock = f"{year:.0f},{month:.0f},{day:.0f},{hours:.0f},{minutes:.0f},{sec:.3f}"
        return f"{text}epoch = [{clock}]\n"
    edges = [_edges(plan, n, seconds, period) for n in range(4)]
    packets = [(time, data) for time, data in plan.packets if _is_during(plan, time, seconds, period)]
    if plan.json_descriptions:
        quote = '"'
        clock = f"[{year:.0f},{month:2.0f},{day:2.0f},{hours:2.0f},{minutes:2.0f},{sec:2.3f}]"
        lists = {f"auxTrigger{n}": f"[{','.join(times)}]" for n, times in enumerate(edges)}
        objects = [f'    {{"timestamp": {time:.9f}, "data": {_packet(data, quote)}}}' for time, data in packets]
        values |= {"epoch": clock, **lists, "I2CData": "[\n" + ",\n".join(objects) + "\n  ]" if objects else "[]"}
        return "{\n" + ",\n".join(f'  "{name}": {value}' for name, value in values.items()) + "\n}\n"
    text = "".join(f"{name} = {value}\n" for name, value in values.items())
    clock = f"{year:4.0f} {month:2.0f} {day:2.0f} {hours:2.0f} {minutes:2.0f} {sec:2.3f}"
    triggers = "".join(f"auxTrigger{n} = [{''.join(times)}]\n" for n, times in enumerate(edges))
    cells = "".join(f"{{{time:.9f}, {_packet(data)}}} " for time, data in packets)
    return f"{text}epoch = [{clock}]\n{triggers}I2CData = {{{cells}}}\n"


def _is_during(plan: Plan, time: float, seconds: float, period: float) -> bool:
    """Whether a saved frame, whose last raw frame began at `seconds`, was being scanned at a time."""
    return seconds - (plan.averaging - 1) * period <= time < seconds + period


def _edges(plan: Plan, trigger: int, seconds: float, period: float) -> list[str]:
    times = (time for n, time in plan.triggers if n == trigger and _is_during(plan, time, seconds, period))
    return [f"{time:.9f} " for time in times]


def classic_text(plan: Plan, frame: Logged, period: float, header: str) -> str:
    """Make the description of each page of a frame in a classic TIFF, which includes the header."""
    style = TABLE[plan.release].style
    if style.header == "state":
        return header
    text = style.frame_text.format(frame=frame, seconds=(frame.number - 1) * period)
    return f"{text}{header}".ljust(len(header) + 1000)


def _packet(data: bytes | str, quote: str = "'") -> str:
    return f"{quote}{data}{quote}" if isinstance(data, str) else f"[{','.join(map(str, data))}]"
