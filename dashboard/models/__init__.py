from dashboard.models.announcement import Announcement, Dismissal
from dashboard.models.saved_view import SavedView

__all__ = ["Announcement", "Dismissal", "SavedView"]
