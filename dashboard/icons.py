# ruff: noqa: E501  paths are not prose
"""Icons, drawn by us on a grid of 16: the content of an SVG, stroked in the colour of the text."""

ICONS = {
    "overview": '<path d="M2.5 13.5v-4M6.2 13.5V5.8M9.8 13.5V8M13.5 13.5V2.5"/>',
    "calls": '<path d="M2.5 4.5h8.2M2.5 8h11M2.5 11.5h5.8"/><circle cx="13" cy="4.5" r=".6"/>',
    "costs": '<circle cx="8" cy="8" r="5.7"/><path d="M9.9 6.1c-.4-.8-1.1-1-1.9-1-1 0-1.9.5-1.9 '
    '1.4 0 2 3.9.9 3.9 3 0 .9-.9 1.4-2 1.4-.9 0-1.7-.3-2-1.1M8 4v1.1M8 10.9V12"/>',
    "budgets": '<path d="M2.6 11.6a5.7 5.7 0 1 1 10.8 0M8 10.6l2.8-3.4"/><circle cx="8" cy="10.8" r=".8"/>',
    "keys": '<circle cx="5.2" cy="10.8" r="2.7"/><path d="M7.2 8.8l6-6M11 5l1.8 1.8M9.3 6.7l1.3 1.3"/>',
    "providers": '<path d="M5.5 2.5v3M10.5 2.5v3M3.8 5.5h8.4V8a4.2 4.2 0 0 1-8.4 0zM8 12.2v1.8"/>',
    "policies": '<path d="M2.5 8h3.2c2.6 0 2.2-4 4.6-4h3M5.7 8c2.6 0 2.2 4 4.6 4h3M11.4 2.2l2 1.8-2 1.8'
    'M11.4 10.2l2 1.8-2 1.8"/>',
    "experiments": '<path d="M6.3 2.5h3.4M7 2.5v4L3.2 12.3c-.4.7 0 1.4.8 1.4h8c.8 0 1.2-.7.8-1.4L9 6.5v-4M4.9 10h6.2"/>',
    "cache": '<ellipse cx="8" cy="4.2" rx="5" ry="1.9"/><path d="M3 4.2v7.6c0 1 2.2 1.9 5 1.9s5-.9 5-1.9V4.2M3 8c0 1 2.2 '
    '1.9 5 1.9S13 9 13 8"/>',
    "team": '<circle cx="5.8" cy="5.6" r="2.3"/><path d="M1.9 13c.4-2.3 2-3.4 3.9-3.4s3.5 1.1 3.9 3.4M10.4 3.5a2.2 '
    '2.2 0 0 1 0 4.2M11.6 9.8c1.4.4 2.3 1.5 2.6 3.2"/>',
    "settings": '<path d="M2.5 4.8h6.3M12 4.8h1.5M2.5 11.2h1.6M7.3 11.2h6.2"/><circle cx="10.4" cy="4.8" r="1.6"/>'
    '<circle cx="5.7" cy="11.2" r="1.6"/>',
    "reconciliation": '<path d="M8 2.6v10.8M5 13.4h6M3 4.6h10M3 4.6l-1.4 4a1.9 1.9 0 0 0 2.8 0zM13 4.6l-1.4 4a1.9 '
    '1.9 0 0 0 2.8 0z"/>',
    "audit": '<path d="M4 2.5h8v11H4zM6.2 5.4h3.6M6.2 8h3.6M6.2 10.6h2"/>',
    "projects": '<path d="M2.5 4.2c0-.5.4-.9.9-.9h3l1.4 1.7h4.8c.5 0 .9.4.9.9v6c0 .5-.4.9-.9.9H3.4c-.5 0-.9-.4-.9-.9z"/>',
    "playground": '<path d="M3 3.5h10v7.2H7.6L4.8 13v-2.3H3zM5.6 6h4.8M5.6 8.2h3"/>',
    "docs": '<path d="M8 4.2C6.6 3.1 4.7 2.8 2.5 2.9v9.4c2.2-.1 4.1.2 5.5 1.3 1.4-1.1 3.3-1.4 '
    '5.5-1.3V2.9C11.3 2.8 9.4 3.1 8 4.2zM8 4.2v9.4"/>',
    "check": '<path d="M3 8.6l3.2 3.2L13 4.6"/>',
    "cross": '<path d="M4 4l8 8M12 4l-8 8"/>',
    "minus": '<path d="M3.5 8h9"/>',
    "plus": '<path d="M8 3.2v9.6M3.2 8h9.6"/>',
    "question": '<path d="M5.8 6.1c0-1.3 1-2.1 2.3-2.1s2.2.8 2.2 2c0 1.7-2.2 1.8-2.2 3.5"/>'
    '<circle cx="8.1" cy="12" r=".5"/>',
    "clock": '<circle cx="8" cy="8" r="5.7"/><path d="M8 4.8V8l2.2 1.6"/>',
    "alert": '<path d="M8 2.6l6 10.6H2z"/><path d="M8 6.6v2.8"/><circle cx="8" cy="11.3" r=".4"/>',
    "info": '<circle cx="8" cy="8" r="5.7"/><path d="M8 7.4v3.4"/><circle cx="8" cy="5.2" r=".4"/>',
    "shield": '<path d="M8 2.2l4.9 1.7v3.6c0 3-2 5.2-4.9 6.3-2.9-1.1-4.9-3.3-4.9-6.3V3.9z"/>',
    "copy": '<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/>'
    '<path d="M10.5 3.5v-.2c0-.4-.4-.8-.8-.8H3.3c-.4 0-.8.4-.8.8v6.4c0 .4.4.8.8.8h.2"/>',
    "arrow": '<path d="M3 8h9.6M9 4.4L12.6 8 9 11.6"/>',
    "down": '<path d="M4 6.2l4 4 4-4"/>',
    "out": '<path d="M6.5 3.5h-3v9h9v-3M9.5 3h3.6v3.6M13 3L7.6 8.4"/>',
    "download": '<path d="M8 2.5v7.4M4.9 7.1L8 10.2l3.1-3.1M2.8 13.2h10.4"/>',
    "filter": '<path d="M2.5 4h11M4.5 8h7M6.5 12h3"/>',
    "menu": '<path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11"/>',
    "person": '<circle cx="8" cy="5.4" r="2.6"/><path d="M3 13.4c.6-2.5 2.6-3.7 5-3.7s4.4 1.2 5 3.7"/>',
    "leave": '<path d="M9.5 2.8H3.3v10.4h6.2M6.8 8h6.6M10.8 5.4L13.4 8l-2.6 2.6"/>',
    "theme": '<circle cx="8" cy="8" r="5.7"/><path d="M8 2.3a5.7 5.7 0 0 1 0 11.4z" class="solid"/>',
    "lock": '<rect x="3.2" y="7" width="9.6" height="6.3" rx="1.4"/>'
    '<path d="M5.3 7V5.2a2.7 2.7 0 0 1 5.4 0V7"/>',
    "refresh": '<path d="M13 8a5 5 0 1 1-1.6-3.7M13.2 2.4v2.8h-2.8"/>',
    "trash": '<path d="M2.8 4.3h10.4M6.2 4.2V2.8h3.6v1.4M4.2 4.4l.6 8.8h6.4l.6-8.8M6.8 7v3.6M9.2 7v3.6"/>',
    "flask": '<path d="M6.3 2.5h3.4M6.9 2.6v3.6L3.3 12c-.4.7.1 1.5.9 1.5h7.6c.8 0 1.3-.8.9-1.5L9.1 '
    '6.2V2.6M4.9 9.5h6.2"/>',
    "live": '<circle cx="8" cy="8" r="1.6" class="solid"/><path d="M4.6 11.4a4.8 4.8 0 0 1 0-6.8M11.4 '
    '4.6a4.8 4.8 0 0 1 0 6.8"/>',
    "pencil": '<path d="M10.7 2.9l2.4 2.4-7.3 7.3-3 .6.6-3z"/>',
    "pause": '<path d="M5.8 3.6v8.8M10.2 3.6v8.8"/>',
    "play": '<path d="M5 3.4v9.2L12.2 8z"/>',
    "up_right": '<path d="M4.5 11.5l7-7M6 4.5h5.5V10"/>',
    "mail": '<rect x="2.3" y="3.8" width="11.4" height="8.4" rx="1.4"/><path d="M2.8 4.8L8 8.9l5.2-4.1"/>',
}
