"""Text that would run in a reader's browser if the report did not escape it."""

EVIL = "<script>alert('x')</script>"
