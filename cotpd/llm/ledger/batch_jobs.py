"""Batch jobs: which requests lie in which job of a server's Batch API, from before its submission to its end.

Owns the tables ``batch_job`` (token, base_url, id, created) and ``batch_item`` (key, token, request). The token is
our own name of a job, which the server keeps as metadata; the id is the server's, NULL until it has confirmed it.

A job is written here with all of its requests before it is submitted, and removed after its answers are committed.
A run that is killed in between finds the job again: by its id, or by looking for its token on the server.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.database import Database


class BatchJobs:
    """The batch jobs in a ledger's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find_batches(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the keys whose question lies in a batch job, each with the job's description for a message."""
        sql = "SELECT i.key, j.id FROM batch_item i LEFT JOIN batch_job j ON j.token = i.token WHERE i.key"
        rows = self._database.read_by_key(sql, keys)
        return {key: f"batch {job_id}" if job_id else "a batch that is being submitted" for key, job_id in rows}

    def add(self, token: str, address: str, requests: Iterable[ChatRequest]) -> set[str]:
        """Write down a job that is about to be submitted.

        Args:
            token: Our name of the job.
            address: The server's base URL.
            requests: The requests to put into it.

        Returns:
            The keys that are in this job now; the others lie in a job of another process.
        """
        created = datetime.now(UTC).isoformat(timespec="seconds")
        items = (
            ("INSERT INTO batch_item VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (request.key, token, request.text))
            for request in sorted(requests, key=lambda request: request.key)
        )
        job = ("INSERT INTO batch_job VALUES (?, ?, NULL, ?)", (token, address, created))
        self._database.change(job, *items)
        return set(self.list_keys(token))

    def set_id(self, token: str, job_id: str) -> None:
        """Write down the server's id of a job that it has confirmed."""
        self._database.change(("UPDATE batch_job SET id = ? WHERE token = ?", (job_id, token)))

    def list_unconfirmed(self, address: str) -> list[tuple[str, float]]:
        """Return token and age in seconds of each job of a server whose submission was not confirmed."""
        sql = "SELECT token, created FROM batch_job WHERE id IS NULL AND base_url = ?"
        now = datetime.now(UTC)
        rows = self._database.read(sql, (address,))
        return [(token, (now - datetime.fromisoformat(created)).total_seconds()) for token, created in rows]

    def list_submitted(self, address: str) -> list[tuple[str, str]]:
        """Return token and id of each job that a server has confirmed, the oldest first."""
        sql = "SELECT token, id FROM batch_job WHERE id IS NOT NULL AND base_url = ? ORDER BY created, token"
        return [(token, job_id) for token, job_id in self._database.read(sql, (address,))]

    def list_keys(self, token: str) -> list[str]:
        """Return the keys of a job's requests."""
        return [key for (key,) in self._database.read("SELECT key FROM batch_item WHERE token = ?", (token,))]

    def read_request_texts(self, token: str) -> dict[str, str]:
        """Return the requests of a job as canonical JSON, by key."""
        rows = self._database.read("SELECT key, request FROM batch_item WHERE token = ?", (token,))
        return dict(rows)

    def remove(self, token: str) -> None:
        """Remove a job with its requests, which may be asked again then."""
        self._database.change(
            ("DELETE FROM batch_item WHERE token = ?", (token,)),
            ("DELETE FROM batch_job WHERE token = ?", (token,)),
        )

    def remove_requests(self, keys: Iterable[str]) -> None:
        """Remove single requests from their jobs."""
        self._database.change(*(("DELETE FROM batch_item WHERE key = ?", (key,)) for key in sorted(keys)))
