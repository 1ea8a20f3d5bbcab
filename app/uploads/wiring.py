"""What the calls about uploads work with, built once in each serving process."""

from dataclasses import dataclass

from app.uploads.receiving import Receiving
from db.database import Database
from hashing.digester import Digester
from jobs.settings import UploadSettings
from jobs.uploads import Uploads


@dataclass(frozen=True)
class UploadServices:
    """Uploads, and how requests add to them."""

    uploads: Uploads
    receiving: Receiving


def build_uploads(
    own_database: Database, digester: Digester, settings: UploadSettings
) -> UploadServices:
    """Build them; nothing is asked of PostgreSQL yet."""
    uploads = Uploads(own_database, settings.limits)
    return UploadServices(uploads, Receiving(uploads, digester.several))
