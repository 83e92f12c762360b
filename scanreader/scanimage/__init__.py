"""What ScanImage wrote, as text and numbers: headers, descriptions, ROIs, the order of frames. No pixels."""
