"""After deployment: compare scored posts with what the student was made for, and say whether to worry."""
