"""Real headers give the geometry that their README says, over pages written under them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import reference
from common import assert_reads

from scanreader import LayoutError, read_scan
from scanreader.simulate import write_bigtiff


def pages(count: int, height: int, width: int) -> list[tuple[bytes, npt.NDArray[np.int16]]]:
    pattern = np.arange(height * width, dtype=np.int64).reshape(height, width)
    return [
        (
            f"frameNumbers = {i + 1}\nframeNumberAcquisition = {i + 1}\n".encode(),
            ((pattern + 7919 * i) % 32003).astype(np.int16),
        )
        for i in range(count)
    ]


def test_ibl_mesoscope(headers: Path, tmp_path: Path) -> None:
    header = (headers / "SI2020.1.2_IBL_mesoscope_SP061.FrameData.txt").read_bytes()
    rois = (headers / "SI2020.1.2_IBL_mesoscope_SP061.RoiData.json").read_bytes()
    path = tmp_path / "ibl_00001_00001.tif"
    write_bigtiff(path, header + b"\0", rois + b"\0", pages(5, 4614, 512))
    scan = read_scan(path)
    assert scan.shape == (8, 512, 512, 1, 5)
    assert scan.release == "2020.1.2"
    tops = list(range(0, 4103, 586))
    assert [field.yslices for field in scan.fields] == [[slice(top, top + 512)] for top in tops]
    boxes = [[(top, 512, 512) for top in tops]]
    assert_reads(scan, reference.fields(reference.all_pages([path]), boxes=boxes))
    assert scan.num_rois == 8
    assert scan.is_multiROI
    assert scan.scanning_depths == [245]
    assert scan.fields[0].x == pytest.approx(-10.60733333)
    assert scan.field_heights_in_microns[0] == pytest.approx(4.6665 * 150)
    with pytest.raises(LayoutError, match=r"off the pixels of field 0 .*field 6 .* by 0\.344, field 7 .* by 0\.344"):
        scan.stitched()  # islands that were drawn without regard to each other
    strips = scan.select(fields=[2, 3, 4, 5]).stitched()
    assert strips.shape == (1, 771 + 512, 3 * 512, 1, 5)
    corners = {2: (259, 0), 3: (771, 0), 4: (259, 512), 5: (0, 1024)}  # centres over 4.6665 / 512 degrees, rounded
    for i, (y, x) in corners.items():
        block = np.s_[y : y + 512, x : x + 512]
        assert (strips.fields[0].roi_mask[block] == i).all()
        np.testing.assert_array_equal(strips[0, *block, 0, 3], scan[i, :, :, 0, 3])


@pytest.mark.parametrize("is_wrapped", [True, False])
def test_sofroniew_mesoscope_as_json(headers: Path, tmp_path: Path, is_wrapped: bool) -> None:
    tree = json.loads((headers / "SI2015.4_sofroniewn_mesoscope_9ROI_metadata.json").read_text())
    text = json.dumps({"SI": tree} if is_wrapped else tree, indent="\t")
    path = tmp_path / "meso_00001.tif"
    write_bigtiff(path, text.encode() + b"\0", b"", pages(4, 5152, 64), version=3)
    scan = read_scan(path)
    assert scan.shape == (9, 464, 64, 1, 4)
    assert scan.release == "2015.4"
    assert scan.scanner_type == "Resonant"
    assert scan.scanner_frequency == pytest.approx(12019.44747)
    assert scan.num_requested_frames == 10**9
    boxes = [[(i * 586, 464, 64) for i in range(9)]]
    assert_reads(scan, reference.fields(reference.all_pages([path]), boxes=boxes))
    assert scan.scanning_depths == [425]
    assert scan.motor_position_at_zero == [-652.5, 6397, -3393.2]
    assert scan.initial_secondary_z == 425
    with pytest.raises(LayoutError, match=r" by 0\.357, .* by 0\.321, .* by 0\.257 pixels"):
        scan.stitched()
    field_numbers = [0, 1, 3, 4, 5]  # from left to right 5, 0, 4, 1, 3; with gaps of 0.15 pixels, so not all touch
    assert scan.select(fields=field_numbers).join_contiguous().num_fields == 3
    stitched = scan.select(fields=field_numbers).stitched()
    expected = np.concatenate([scan[i] for i in (5, 0, 4, 1, 3)], axis=1)
    np.testing.assert_array_equal(stitched[0], expected)


def test_averaged_slow_stack(headers: Path, tmp_path: Path) -> None:
    name = "SI2022.0_neuroconv_scanimage_20220801_volume_expected_description.json"
    settings = json.loads((headers / name).read_text())
    text = "".join(f"{key} = {value}\n" for key, value in settings.items() if key.startswith("SI."))
    path = tmp_path / "volume_00001.tif"
    described_pages = [
        (f"frameNumbers = {8 * (i + 1)}\nframeNumberAcquisition = 8\n".encode(), image)
        for i, (_, image) in enumerate(pages(20, 512, 512))
    ]
    write_bigtiff(path, text.encode() + b"\0", b"", described_pages)
    scan = read_scan(path)
    assert scan.shape == (20, 512, 512, 1, 1)
    assert_reads(scan, reference.fields(reference.all_pages([path]), slices=20))
    assert scan.scanning_depths[:2] == pytest.approx([742.467, 751.416])
    assert scan.is_slow_stack
    assert scan.fps == pytest.approx(30.0141 / 8)


def test_legacy_header_is_what_others_parse(headers: Path, recordings: Path) -> None:
    expected = json.loads((headers / "SI3.8_neuroconv_expected_description.json").read_text())
    scan = read_scan(recordings / "legacy_3_8_resaved.tiff")
    assert dict(scan.settings.raw).keys() >= expected.keys()
    assert {name: scan.settings.raw[name] for name in expected} == expected
