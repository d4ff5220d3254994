"""How Django writes dates, for the admin: the same form as on our own pages, with the zone."""

DATE_FORMAT = "j M Y"
DATETIME_FORMAT = "j M Y, H:i e"
