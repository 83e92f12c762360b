"""How fast the mouse ran in each frame: a DAQ recorded the wheel, and a pulse for each frame, on a clock of its own."""

import tempfile

import numpy as np

from scanreader import read_scan
from scanreader.simulate import Recording

with tempfile.TemporaryDirectory() as folder:
    stack = {"mode": "fast", "zs": (0.0, 30.0, 60.0), "flyback": 1, "volumes": 200}
    Recording(**stack, height=256, frames_per_file=300).write(folder)
    scan = read_scan(folder)

    # What a DAQ would have: begun 3.2 s before, on a clock that is 0.01 % slow; the wheel at 100 Hz.
    pulses = 3.2 + np.arange(800) / scan.scan_frame_rate * 0.9999
    daq_time = np.arange(0.0, 30.0, 0.01)
    speed = 5 - 5 * np.cos(daq_time)

    table = scan.frame_table
    flyback = table["is_flyback"].sum()
    print(f"{len(pulses)} pulses, {len(table)} frames in the files, {flyback} of them flyback")
    for slice_id, depth in enumerate(scan.scanning_depths):
        frame_times = pulses[scan.frame_indices(slice_id)]  # when the DAQ saw its frames
        speed_at_frames = np.interp(frame_times, daq_time, speed)
        numbers = ", ".join(f"{v:.2f}" for v in speed_at_frames[::50])
        print(f"slice at {depth:2g} um: frames 0, 50, 100, 150: {numbers} cm/s")

    slope, start = np.polyfit(scan.timestamps[0], pulses[scan.frame_indices(0)], 1)
    print(f"DAQ time = {start:.3f} s + {slope:.5f} x ScanImage's")
