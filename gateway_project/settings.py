"""Every setting, grouped. Values come from the environment through `env.py`."""

import os
import sys
from pathlib import Path

import structlog
from csp.constants import NONCE, NONE, SELF

from gateway_project import env, secrets_file

BASE_DIR = Path(__file__).resolve().parent.parent

# The installation ------------------------------------------------------------------------------

FLO2_DATA_DIR = Path(env.text("FLO2_DATA_DIR", str(BASE_DIR / ".flo2"))).resolve()
FLO2_DEMO = env.flag("FLO2_DEMO")  # set by `up --demo` for the processes it starts
FLO2_HOST = env.text("FLO2_HOST", "127.0.0.1")
FLO2_PORT = env.integer("FLO2_PORT", 8000, at_least=1, at_most=65_535)
FLO2_PUBLIC_URL = env.address("FLO2_PUBLIC_URL", ("http", "https")).rstrip("/")
FLO2_ALLOW_CUSTOM = env.flag("FLO2_ALLOW_CUSTOM")  # tenants may bring endpoints of their own
# Origins that webhooks may reach though they are private or plain http.
FLO2_WEBHOOK_ORIGINS = env.origins("FLO2_WEBHOOK_ORIGINS")
FLO2_SIGNUP = env.choice("FLO2_SIGNUP", ("open", "invite", "closed"))
FLO2_METRICS_TOKEN = env.text("FLO2_METRICS_TOKEN")
FLO2_TRUSTED_PROXIES = env.networks("FLO2_TRUSTED_PROXIES")
# Days that calls are kept one by one; 0 is for ever. Sums are kept in any case.
FLO2_CALL_RETENTION_DAYS = env.integer("FLO2_CALL_RETENTION_DAYS", 0, at_most=36_500)
FLO2_JOURNAL_FSYNC = env.choice("FLO2_JOURNAL_FSYNC", ("off", "group"))
FLO2_DRAIN_SECONDS = env.integer("FLO2_DRAIN_SECONDS", 600, at_most=86_400)
FLO2_LOG_LEVEL = env.choice("FLO2_LOG_LEVEL", ("info", "debug", "warning", "error")).upper()
REDIS_URL = env.address("REDIS_URL", ("redis", "rediss", "unix"))
FLO2_CACHE_STORE = env.choice(
    "FLO2_CACHE_STORE", ("redis", "database", "memory") if REDIS_URL else ("database", "memory")
)
FLO2_WORKERS = env.integer(
    "FLO2_WORKERS",
    env.integer(
        "WEB_CONCURRENCY", (os.cpu_count() or 1) if REDIS_URL else 1, at_least=1, at_most=1000
    ),
    at_least=1,
    at_most=1000,
)
env.take_from_files("FLO2_PROVIDER_", "FLO2_SYNC_KEY_")
# Where the sandbox of this installation listens, and a port that refuses; `up` sets both.
FLO2_SANDBOX_URL = env.address("FLO2_SANDBOX_URL", ("http",))
FLO2_REFUSING_URL = env.text("FLO2_REFUSING_URL")

# Secrets ---------------------------------------------------------------------------------------

_DEMO_SECRETS = secrets_file.read(FLO2_DATA_DIR)
SECRET_KEY = env.text("SECRET_KEY", _DEMO_SECRETS.get("SECRET_KEY", ""))
FLO2_MASTER_KEYS = env.text("FLO2_MASTER_KEYS", _DEMO_SECRETS.get("FLO2_MASTER_KEYS", ""))
FLO2_KEY_PEPPERS = env.text("FLO2_KEY_PEPPERS", _DEMO_SECRETS.get("FLO2_KEY_PEPPERS", ""))

# Django ----------------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
ROOT_URLCONF = "gateway_project.urls"
ASGI_APPLICATION = "gateway_project.asgi.application"
APPEND_SLASH = True
LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = ["dashboard.formats"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "accounts",
    "billing",
    "routing",
    "dashboard",
    "gateway_project",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "gateway_project.clean_urls.middleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "dashboard.idle.IdleMiddleware",
    "dashboard.impersonating.ImpersonationMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "dashboard.context.site",
            ],
        },
    },
]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "gateway_project.static_files.VersionedStaticFiles"},
}
SERVESTATIC_USE_FINDERS = True  # served from the source tree: there is no build step
SERVESTATIC_AUTOREFRESH = DEBUG
SERVESTATIC_MAX_AGE = 3600

# The database: SQLite in the data directory, or PostgreSQL ----------------------------------------

# Pages and calls give up soon (gateway_project.asgi sets 5000); tasks and commands read millions.
_STATEMENT_MS = env.integer("FLO2_STATEMENT_TIMEOUT_MS", 600_000, at_most=2**31 - 1)
DATABASES = {"default": env.database("DATABASE_URL", f"sqlite:///{FLO2_DATA_DIR / 'flo2.sqlite3'}")}
DATABASES["default"]["ATOMIC_REQUESTS"] = False
if "sqlite" in DATABASES["default"]["ENGINE"]:
    # A journal is put aside once it is shipped: then the database alone must survive a power cut.
    _SYNC = "FULL; PRAGMA fullfsync=ON" if FLO2_JOURNAL_FSYNC == "group" else "NORMAL"
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={_SYNC};",
    }
else:
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        {
            # Soon given up, and tried anew by whoever asks next: its own pauses grow to minutes.
            "pool": {"min_size": 1, "max_size": 12, "timeout": 5, "reconnect_timeout": 2},
            "connect_timeout": 5,
            "options": f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout=5000",
        }
    )
    # After an outage the pool has connections that are dead; nobody is to be handed one.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

# Who is who --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/dashboard/"
LOGOUT_REDIRECT_URL = "/"

EMAIL_CONFIG = env.email("EMAIL_URL")
vars().update({name: value for name, value in EMAIL_CONFIG.items() if name.startswith("EMAIL_")})
if not EMAIL_CONFIG:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "flo2@localhost")

ACCOUNT_ADAPTER = "dashboard.account_adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "dashboard.forms.signup.ConsentForm"
ACCOUNT_FORMS = {"add_email": "dashboard.forms.addresses.AddAddressForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if EMAIL_CONFIG else "none"
ACCOUNT_EMAIL_NOTIFICATIONS = bool(EMAIL_CONFIG)
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/15m/key",
    "signup": "20/h/ip",
    "reset_password": "20/m/ip,5/m/key",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "flo2"
MFA_ALLOW_UNVERIFIED_EMAIL = not EMAIL_CONFIG  # without mail no address can be verified

# Browsers ----------------------------------------------------------------------------------------

_PRODUCTION = not (DEBUG or FLO2_DEMO)
SESSION_COOKIE_NAME = "__Host-flo2" if _PRODUCTION else "flo2"
CSRF_COOKIE_NAME = "__Host-flo2-csrf" if _PRODUCTION else "flo2-csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _PRODUCTION
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600  # and twelve hours without a request: dashboard.idle
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # no third cookie
SECURE_HSTS_SECONDS = 31_536_000 if _PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _PRODUCTION
SECURE_SSL_REDIRECT = _PRODUCTION and env.flag("FLO2_SSL_REDIRECT")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if FLO2_TRUSTED_PROXIES else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
UNFOLD = {
    "SITE_TITLE": "flo2 operator",
    "SITE_HEADER": "flo2 operator",
    "SITE_URL": "/",
    "SIDEBAR": {"navigation": "accounts.operator_site.menu"},
    "ENVIRONMENT": "accounts.operator_site.visit",
    "COLORS": {
        "primary": {
            "50": "#f6f9e6", "100": "#edf3cf", "200": "#dcea9f", "300": "#c4dc61",
            "400": "#a6c22f", "500": "#7f9a0f", "600": "#5d7600", "700": "#4b6000",
            "800": "#3a4a05", "900": "#2d3423", "950": "#171b12",
        },
    },
}  # fmt: skip

# APIs --------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # `format=csv` of a report is ours to read
}
SPECTACULAR_SETTINGS = {
    "TITLE": "flo2",
    "DESCRIPTION": "One gateway key for every LLM provider: the gateway and its management API.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {"BudgetModeEnum": ["hard", "soft"], "ModeEnum": ["live", "test"]},
}

# Background work ---------------------------------------------------------------------------------

CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

CHANNEL_LAYERS = {
    "default": (
        {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL], "prefix": "flo2:pages"},
        }
        if REDIS_URL
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

# Logs --------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"scrub": {"()": "accounts.secret.ScrubbingFilter"}},
    "formatters": {
        "line": {
            "()": "structlog.stdlib.ProcessorFormatter",
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.LogfmtRenderer(
                    key_order=["timestamp", "level", "logger", "event"], drop_missing=True
                ),
            ],
            "foreign_pre_chain": [
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.format_exc_info,
            ],
        },
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "formatter": "line",
            "filters": ["scrub"],
        },
    },
    "root": {"handlers": ["console"], "level": FLO2_LOG_LEVEL},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        "uvicorn": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "kombu.connection": {"level": "ERROR"},  # it warns that a folder has no host name
    },
}
