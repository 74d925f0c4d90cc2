"""Error messages of PostgreSQL and of object stores: what each means, and the user's next action.

Trade-off: messages are compared, not classes. MLflow, DVC and SQLAlchemy pass on the text of a driver's error and
drop its class.
"""

import re
from typing import NamedTuple

KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_CREDENTIALS = f"Set {KEY_VARIABLES[0]} and {KEY_VARIABLES[1]}, as cotpd.env.example shows."


class Meaning(NamedTuple):
    """The meaning of an error message.

    Attributes:
        problem: What is the case, to follow the name of the service.
        remedy: The user's next action.
    """

    problem: str
    remedy: str


_OBJECT_STORE = {
    "Unable to locate credentials": Meaning("no credentials are set for the object store", _CREDENTIALS),
    "Partial credentials found": Meaning("only a part of the credentials is set", _CREDENTIALS),
    r"\(NoSuchBucket\)|specified bucket does not exist": Meaning(
        "there is no such bucket", "Create it, or correct its name."
    ),
    r"\(InvalidAccessKeyId\)|access key I[dD] you provided does not exist": Meaning(
        "the object store does not know this access key", f"Correct {KEY_VARIABLES[0]}."
    ),
    r"\(SignatureDoesNotMatch\)|signature we calculated does not match": Meaning(
        "the secret is not that of the access key", f"Correct {KEY_VARIABLES[1]}."
    ),
    r"\(ExpiredToken\)": Meaning("the credentials have expired", "Get new ones, and set their variables again."),
    r"\(AccessDenied\)|: Access Denied": Meaning(
        "the object store refuses these credentials", "Ask its owner for the right to read and write there."
    ),
    r"\(InternalError\)": Meaning(
        "the object store has failed inside",
        "Read its log. SeaweedFS says so where its disk has no room for the volumes of a further bucket.",
    ),
    r"\(403\)": Meaning(
        "the object store refuses these credentials", f"Correct {' and '.join(KEY_VARIABLES)}, or ask its owner."
    ),
    "Could not connect to the endpoint": Meaning(
        "the object store does not answer", "Start it, or correct AWS_ENDPOINT_URL."
    ),
    "timeout on endpoint": Meaning(
        "the object store does not answer in time", "See that it runs, or correct AWS_ENDPOINT_URL."
    ),
    "Connection was closed before": Meaning(
        "the object store closed the connection", "See that it runs, and try again."
    ),
    "Invalid endpoint": Meaning(
        "its address is none", "Write AWS_ENDPOINT_URL with http:// or https:// before the host."
    ),
    "The config profile": Meaning("the profile of AWS_PROFILE is not there", "Correct it, or unset AWS_PROFILE."),
}

_POSTGRESQL = {
    "no password supplied": Meaning("it asks for a password", "Set PGPASSWORD, or write a ~/.pgpass."),
    "password authentication failed": Meaning(
        "it refuses the password", "Correct PGPASSWORD, or the user's name."
    ),
    'role ".*" does not exist': Meaning(
        "it does not know the user", "Correct the user in the address, or create the role."
    ),
    'database ".*" does not exist': Meaning(
        "it has no such database", "Create it, or correct its name in the address."
    ),
    "Connection refused": Meaning("no server answers there", "Start PostgreSQL, or correct the address."),
    "could not translate host name": Meaning("its host is unknown", "Correct the host in the address."),
    "failed to resolve host": Meaning("its host is unknown", "Correct the host in the address."),
    "connection timeout expired": Meaning(
        "no server answers in time", "See that PostgreSQL runs there, or correct the address."
    ),
    "on socket .*No such file or directory": Meaning(
        "no server answers at its socket", "Start PostgreSQL, or correct the address."
    ),
    "no pg_hba.conf entry": Meaning("it lets nobody in from here", "Ask its owner to allow this machine."),
    "permission denied for": Meaning("it does not let this user write", "Grant the user its rights."),
    "too many clients": Meaning("it has no connection left", "Raise its max_connections, or run fewer workers."),
}


def explain_object_store(message: str) -> Meaning | None:
    """Return the meaning of an object store's error; None for any other text."""
    return _find(message, _OBJECT_STORE)


def explain_postgresql(message: str) -> Meaning | None:
    """Return the meaning of a PostgreSQL driver's error on connecting or writing; None for any other text."""
    return _find(message, _POSTGRESQL)


def _find(message: str, meanings: dict[str, Meaning]) -> Meaning | None:
    return next((meaning for pattern, meaning in meanings.items() if re.search(pattern, message)), None)
