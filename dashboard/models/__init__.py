from dashboard.models.announcement import Announcement, Dismissal
from dashboard.models.key_trouble import KeyTrouble
from dashboard.models.saved_view import SavedView
from dashboard.models.weekly_report import WeeklyReport

__all__ = ["Announcement", "Dismissal", "KeyTrouble", "SavedView", "WeeklyReport"]
