"""The student: a small encoder that reads text alone, trained beside a view that sees the knowledge."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cotpd.student.student import Student

__all__ = ["Student"]


def __getattr__(name: str) -> Any:
    """Import the student, and torch with it, only when it is asked for."""
    if name == "Student":
        from cotpd.student.student import Student  # noqa: PLC0415  see above

        return Student
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
