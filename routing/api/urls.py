"""The paths of the gateway API. The lean door takes the ones without a parameter at start."""

from django.urls import path

from routing.api.account import Generation, Key
from routing.api.chat import ChatCompletions, CountTokens, Messages, Responses
from routing.api.embeddings import Embeddings
from routing.api.explain import Explain
from routing.api.feedback import Feedback
from routing.api.models import Model, Models

urlpatterns = [
    path("v1/chat/completions", ChatCompletions.as_view()),
    path("v1/messages", Messages.as_view()),
    path("v1/messages/count_tokens", CountTokens.as_view()),
    path("v1/responses", Responses.as_view()),
    path("v1/embeddings", Embeddings.as_view()),
    path("v1/route/explain", Explain.as_view()),
    path("v1/models", Models.as_view()),
    path("v1/models/<path:name>", Model.as_view()),
    path("v1/generation", Generation.as_view()),
    path("v1/feedback", Feedback.as_view()),
    path("v1/key", Key.as_view()),
]
