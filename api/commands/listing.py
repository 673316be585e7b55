"""The list of calls in SQL, for commands: whatever the database does wrong is a StorageFault."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy.exc import SQLAlchemyError

from api.config import Config
from api.store import Store
from pipeline.errors import StorageFault


@contextmanager
def listing(config: Config) -> Iterator[Store]:
    """Raises StorageFault; nothing is lost by it, for the list can be rebuilt."""
    url = Store.beside(config.calls_folder)
    try:
        with closing(Store(url)) as store:
            yield store
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error)
        raise StorageFault(f"the list of calls ({url}) cannot be written: {reason}; try calmline reindex") from error
