"""Django's settings. All that may differ between two copies comes from the environment."""

from datetime import timedelta
from pathlib import Path

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from batches.pricing import BadPrices, load_prices
from dashboard import logs
from dashboard.environment import (
    Environment,
    base_url,
    credential,
    database,
    headers,
    is_loopback,
    kept_secret,
    refuse_insecurity,
)
from dashboard.private_files import close_folders

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# The folder that a running copy writes to. Two copies on one machine need two folders.
VAR_DIR = Path(env.text("BATCHBOARD_VAR", str(BASE_DIR / "var")))
close_folders(VAR_DIR.absolute(), top=BASE_DIR / "var")

DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY") or kept_secret(VAR_DIR / "secret_key", name="SECRET_KEY")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
refuse_insecurity(
    debug=DEBUG,
    secret_key=SECRET_KEY,
    allowed_hosts=ALLOWED_HOSTS,
    bind=env.text("BATCHBOARD_BIND"),
)

DATABASES = {"default": database(env.text("DATABASE_URL"), default_path=VAR_DIR / "batchboard.db")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The first workspace, read as the official SDK reads these variables. With both a key and a token
# the SDK uses the key.
ANTHROPIC_API_KEY = credential("ANTHROPIC_API_KEY", env.text("ANTHROPIC_API_KEY"))
ANTHROPIC_AUTH_TOKEN = credential("ANTHROPIC_AUTH_TOKEN", env.text("ANTHROPIC_AUTH_TOKEN"))
if ANTHROPIC_API_KEY:
    ANTHROPIC_AUTH_TOKEN = ""
# Whether keys may be sent to other machines over plain HTTP.
BATCHBOARD_ALLOW_HTTP = env.flag("BATCHBOARD_ALLOW_HTTP")
ANTHROPIC_BASE_URL = base_url(
    "ANTHROPIC_BASE_URL",
    env.text("ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
    allow_http=BATCHBOARD_ALLOW_HTTP,
)
ANTHROPIC_CUSTOM_HEADERS = headers("ANTHROPIC_CUSTOM_HEADERS", env.text("ANTHROPIC_CUSTOM_HEADERS"))
ANTHROPIC_WORKSPACE_ID = credential("ANTHROPIC_WORKSPACE_ID", env.text("ANTHROPIC_WORKSPACE_ID"))
# Only the sandbox, whose batches and prices are invented, accepts such a key.
IS_DEMO = ANTHROPIC_API_KEY.startswith("sandbox-")
# Reads the organization's cost report, and is used for nothing else.
ANTHROPIC_ADMIN_KEY = credential("ANTHROPIC_ADMIN_KEY", env.text("ANTHROPIC_ADMIN_KEY"))
BATCHBOARD_POLL_SECONDS = env.number("BATCHBOARD_POLL_SECONDS", 10, at_least=1, at_most=3600)
BATCHBOARD_ENCRYPTION_KEYS = env.words("BATCHBOARD_ENCRYPTION_KEYS")
if not BATCHBOARD_ENCRYPTION_KEYS:
    if "postgresql" in DATABASES["default"]["ENGINE"]:
        # Other machines could not read what was encrypted with a key generated on this one.
        raise ImproperlyConfigured(
            "BATCHBOARD_ENCRYPTION_KEYS is required with PostgreSQL. Make one with: "
            "python -c 'from cryptography.fernet import Fernet; "
            "print(Fernet.generate_key().decode())'"
        )
    BATCHBOARD_ENCRYPTION_KEYS = [
        kept_secret(
            VAR_DIR / "encryption_key",
            name="BATCHBOARD_ENCRYPTION_KEYS",
            make=lambda: Fernet.generate_key().decode(),
        )
    ]

# Read here, so that no process starts with an invalid price file.
try:
    BATCHBOARD_PRICE_TABLE = load_prices(env.text("BATCHBOARD_PRICES"))
except BadPrices as error:
    raise ImproperlyConfigured(f"BATCHBOARD_PRICES: {error}") from error

# Lets a scraper read /metrics without signing in.
BATCHBOARD_METRICS_TOKEN = env.text("BATCHBOARD_METRICS_TOKEN")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_structlog",
    "axes",
    "batches",
    "dashboard.apps.DashboardConfig",
]

MIDDLEWARE = [
    # First, so that their headers are on every answer, static files and redirects included.
    "dashboard.middleware.HeadersMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Before the one that redirects to HTTPS.
    "dashboard.proxies.ProxyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # None of the middleware above needs a valid Host header or a database.
    "dashboard.middleware.ProbeMiddleware",
    "dashboard.middleware.CompressionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dashboard.middleware.HtmxLoginMiddleware",
    "dashboard.middleware.TooManySignInsMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "dashboard.urls"
WSGI_APPLICATION = "dashboard.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "dashboard.template_loader.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                ),
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.access.for_templates",
                "dashboard.display.for_templates",
            ],
        },
    },
]

# Signing in.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "dashboard.roles.RoleBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# How many seconds a password link works.
PASSWORD_RESET_TIMEOUT = 24 * 60 * 60
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "batch-list"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_HASHERS = ["dashboard.sign_in.hashing.BoundedHasher"]
# These lock a username for an address; dashboard.sign_in.limits locks an address.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
# The page about the lock says when it ends.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "dashboard.sign_in.views.locked_by_axes"
AXES_USERNAME_CALLABLE = "dashboard.sign_in.limits.name_for_axes"
AXES_CLIENT_IP_CALLABLE = "dashboard.sign_in.limits.counted_address"
# Axes stores the other posted fields.
AXES_SENSITIVE_PARAMETERS = [
    "username", "old_password", "new_password1", "new_password2", "csrfmiddlewaretoken",
]  # fmt: skip
# The audit records sign-ins.
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
# How many of your own proxies are in front of the web process and add to X-Forwarded-For.
BATCHBOARD_PROXIES = int(env.number("BATCHBOARD_PROXIES", 0, at_least=0, at_most=10))

# Cookies and headers. Plain HTTP is for this machine alone; a public host means HTTPS.
HTTPS = env.flag("BATCHBOARD_HTTPS", default=not all(map(is_loopback, ALLOWED_HOSTS)))
SESSION_ENGINE = "dashboard.sessions"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-batchboard" if HTTPS else "batchboard"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "dashboard.errors.csrf_failed"
SECURE_SSL_REDIRECT = HTTPS
# The API refuses plain HTTP itself: a redirect would hide that tokens travel in the clear.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$", r"^api/"]
# An hour by default: browsers remember it, so a longer time must be a decision.
HSTS_SECONDS = int(env.number("BATCHBOARD_HSTS_SECONDS", 3600, at_least=0, at_most=63_072_000))
SECURE_HSTS_SECONDS = HSTS_SECONDS if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("BATCHBOARD_HSTS_SUBDOMAINS")
SECURE_HSTS_PRELOAD = env.flag("BATCHBOARD_HSTS_PRELOAD")
# `check --deploy` recommends the two settings above. They affect other hosts of the domain, so they
# are off until the domain's owner turns them on.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "base-uri": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
}

# The longest text that a page sends is a note, and no page uploads files.
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

STATIC_URL = "static/"
WHITENOISE_ALLOW_ALL_ORIGINS = False
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.text("BATCHBOARD_STATIC_ROOT", str(VAR_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "dashboard.bundles.BundlingStorage"},
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

LOG_LEVEL = env.text("BATCHBOARD_LOG_LEVEL", "INFO").upper()
LOG_FORMAT = env.text("BATCHBOARD_LOG_FORMAT", "text")
LOGGING = logs.configuration(level=LOG_LEVEL, style=LOG_FORMAT)
