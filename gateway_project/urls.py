"""Table of contents of the site. `/v1` has a door of its own (`door.py`)."""

from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from accounts.operator_site import site

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("dashboard.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("admin/", site.urls),
    path("api/v1/", include("routing.api.manage.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api_docs"),
    path("favicon.ico", RedirectView.as_view(url=static("img/favicon.svg"))),
]
