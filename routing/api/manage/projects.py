"""`/api/v1/projects`: the names that calls are booked under."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ids, projects
from accounts.errors import NotFound
from accounts.models import Project
from accounts.roles import Right
from routing.api.manage.calls import known
from routing.api.manage.view import ManageView, StrictSerializer, scoped, shown_id, valid

TAGS = ["projects"]
PREFIX = "proj"


class ProjectFields(StrictSerializer):
    name = serializers.CharField(max_length=64)


class ProjectShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()


class ProjectList(serializers.Serializer[Any]):
    results = ProjectShown(many=True)
    next = serializers.CharField(allow_null=True)


class Projects(ManageView):
    rights = {"GET": Right.VIEW, "POST": Right.MANAGE_KEYS}

    @extend_schema(operation_id="list_projects", responses=ProjectList, tags=TAGS)
    @scoped
    def get(self, request: Request) -> Response:
        """All of them, by name: a tenant has 200 at most."""
        known(request, ())
        rows = Project.objects.for_tenant(self.manager.tenant).order_by("name")
        return Response({"results": [_shown(row) for row in rows], "next": None})

    @extend_schema(
        operation_id="create_project",
        request=ProjectFields,
        responses={201: ProjectShown},
        tags=TAGS,
    )
    @scoped
    def post(self, request: Request) -> Response:
        """Make a project before its first call; a call that names a new one makes it, too."""
        name = valid(ProjectFields, request)["name"]
        made = projects.create(self.manager.tenant, name, actor=self.manager.actor)
        return Response(_shown(made), status=201)


class ProjectDetail(ManageView):
    rights = {"GET": Right.VIEW, "PATCH": Right.MANAGE_KEYS}

    @extend_schema(operation_id="retrieve_project", responses=ProjectShown, tags=TAGS)
    @scoped
    def get(self, request: Request, project: str) -> Response:
        return Response(_shown(self._find(project)))

    @extend_schema(
        operation_id="rename_project", request=ProjectFields, responses=ProjectShown, tags=TAGS
    )
    @scoped
    def patch(self, request: Request, project: str) -> Response:
        """Another name; calls and costs keep to the project."""
        name = valid(ProjectFields, request)["name"]
        return Response(
            _shown(projects.rename(self._find(project), name, actor=self.manager.actor))
        )

    def _find(self, project: str) -> Project:
        try:
            wanted = ids.read(PREFIX, project)
        except ids.InvalidId:
            raise NotFound(kind="project") from None
        rows = Project.objects.for_tenant(self.manager.tenant).select_related("tenant")
        return rows.named("project", pk=wanted)


def _shown(row: Project) -> dict[str, Any]:
    return {"id": shown_id(PREFIX, row), "name": row.name}
