"""The erasure of a subject: what is left of it can't be told from anybody else's."""

from bailee.errors import NotFound, StoreUnavailable
from bailee.model import TenantId
from bailee.store import revoking as rows
from bailee.store.engine import Store
from bailee.store.revoking import Erased


def erase_subject(store: Store, tenant: TenantId, subject: str) -> Erased:
    """Delete a subject with all its connections and the key under which it stands in the journal.

    The journal stays as it is and verifies as before: without the key nobody can say whose the
    hashes in it are. Gone are connections, sealed versions, locks, nonces, grants and derived
    tokens; answers kept for a repetition that quote the subject become an empty 410. A backup of
    the database still has all of it.

    Raises:
        NotFound: The tenant has no such subject.
        StoreUnavailable: The database did not answer; or the rows are gone, and what was read all
            the while still stands in the database's log: asking once more empties it.
    """
    with store.write() as conn:
        erased = rows.erase_subject(conn, tenant, subject)
    if not store.empty_log():
        raise StoreUnavailable(
            "the subject is deleted, and the database's log still has a copy of it",
            "erase it once more: that there is no such subject then says that the copy is gone",
        )
    if erased is None:
        raise NotFound("there is no such subject")
    return erased
