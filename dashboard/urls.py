"""The paths of the pages, made of the table in `navigation`."""

from django.urls import path

from dashboard.navigation import PAGES

urlpatterns = [path(page.path, page.guarded_view, name=page.name) for page in PAGES]
