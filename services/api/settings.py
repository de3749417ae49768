"""What an operator may say about the api. Read from the environment, prefix API_."""

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.api.smtp.submitting import SystemServer
from services.api.store.quotas import Quotas
from shared.bus import BusSettings
from shared.contracts.ids import Kind, read
from shared.db import DatabaseSettings
from shared.dial import DialSettings, OAuthSettings, ProviderSettings
from shared.telemetry import TelemetrySettings


class Settings(
    DatabaseSettings, BusSettings, DialSettings, OAuthSettings, ProviderSettings, TelemetrySettings
):
    """The api's settings."""

    model_config = SettingsConfigDict(
        env_prefix="API_",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        validate_by_name=True,
    )

    host: str = Field(default="127.0.0.1", description="Where the HTTP API is served.")
    port: int = Field(default=8500, ge=0, le=65535, description="Its port; 0 takes any free one.")
    probe_port: int = Field(
        default=8501, ge=0, le=65535, description="Their port; 0 takes any that is free."
    )
    cors_origins: str = Field(
        default="",
        description="Origins whose pages may use the API, comma-separated, as"
        " https://mail.example.org; * for all.",
    )
    jwt_keys_file: Path = Field(
        description="The keys that sign access tokens: python -m services.api new-jwt-key FILE."
    )
    seal_keys_dir: Path = Field(
        description="Directory with sync/ and sender/, each holding those services' public keys."
    )
    own_keys_dir: Path = Field(
        description="The api's own key pairs, which seal what it keeps secret (webhooks):"
        " python -m shared.seal new-key DIRECTORY."
    )
    registration: Literal["open", "invite", "closed"] = Field(
        default="open",
        description="Who may register: anybody (open), who was invited (invite), nobody (closed).",
    )
    require_verified_email: bool = Field(
        default=False,
        description="Who registers can do nothing but see to themselves before they have followed"
        " the link that was sent to their address. Needs system mail.",
    )
    tenant_header: str = Field(
        default="X-Tenant-ID",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="The header in which a request may name its tenant. It is believed where"
        " somebody signs in; else it must be the token's.",
    )
    default_tenant: str = Field(
        default="",
        description="Where somebody comes to who belongs to several tenants and names none, if"
        " they belong to this (ten_…); empty: the one they joined first.",
    )
    public_url: str = Field(
        default="",
        max_length=500,
        pattern=r"^(https?://[^/?#\s]+)?$",
        description="How people come to this server, e.g. https://mail.example.org: so begin the"
        " links that are sent to them.",
    )
    quota_accounts: int = Field(
        default=0, ge=0, description="Mail accounts that a new tenant may have; 0: any number."
    )
    quota_storage_bytes: int = Field(
        default=0, ge=0, description="Octets of mail and uploads of a new tenant; 0: any number."
    )
    quota_sends_per_day: int = Field(
        default=0,
        ge=0,
        description="Messages that a new tenant may send in 24 hours; 0: any number.",
    )
    system_smtp_host: str = Field(
        default="",
        description="The SMTP server for mail of Postbus itself (invitations, password resets);"
        " empty: it sends none.",
    )
    system_smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    system_smtp_security: Literal["tls", "starttls", "none"] = Field(
        default="starttls", description="How the connection is protected: tls, starttls or none."
    )
    system_smtp_username: str = Field(
        default="", description="As whom to sign in there, if at all."
    )
    system_smtp_password: SecretStr = Field(default=SecretStr(""), description="With what.")
    system_mail_from: str = Field(
        default="postbus@localhost", description="The address that system mail comes from."
    )
    invitation_days: float = Field(
        default=7.0, gt=0, description="How long an invitation's link is good."
    )
    webmail_dir: Path | None = Field(
        default=None, description="The built webmail, served at /; none: the API alone."
    )
    allow_plaintext_passwords: bool = Field(
        default=False,
        description="Allow mail accounts whose password travels without TLS (security: none).",
    )
    access_token_minutes: float = Field(
        default=15.0, gt=0, description="How long an access token is good."
    )
    refresh_token_days: float = Field(
        default=30.0, gt=0, description="How long a session lives that is not renewed."
    )
    sign_ins_per_minute: int = Field(
        default=5, ge=1, description="Attempts to sign in for one address from one client."
    )
    client_sign_ins_per_minute: int = Field(
        default=100, ge=1, description="Attempts to sign in from one client, for any address."
    )
    registrations_per_minute: int = Field(
        default=3, ge=1, description="Registrations from one client."
    )
    client_requests_per_minute: int = Field(
        default=6000, ge=1, description="Requests of any kind from one client (IP address)."
    )
    reads_per_minute: int = Field(
        default=3000, ge=1, description="Requests of one person that only read."
    )
    writes_per_minute: int = Field(
        default=600, ge=1, description="Requests of one person that change something."
    )
    searches_per_minute: int = Field(default=300, ge=1, description="Searches of one person.")
    account_tests_per_minute: int = Field(
        default=20, ge=1, description="Tests of mail servers that one person asks for."
    )
    discoveries_per_minute: int = Field(
        default=30, ge=1, description="Searches for the servers of an address by one person."
    )
    sends_per_hour: int = Field(
        default=50, ge=1, description="Messages that one person may send in an hour."
    )
    limits_settle_seconds: float = Field(
        default=0.2, gt=0, description="How often replicas compare what they have let through."
    )
    trusted_proxies: str = Field(
        default="127.0.0.1,::1",
        description="Reverse proxies whose X-Forwarded-For says who the client is, comma-separated"
        " (addresses or CIDR).",
    )
    request_body_max_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="The largest request body that is read."
    )
    upload_max_bytes: int = Field(
        default=36 * 1024 * 1024,
        ge=1024,
        description="The largest file that is taken for a message; encoded it is a third longer.",
    )
    upload_hours: float = Field(
        default=24.0, gt=0, description="How long an upload is kept that nothing uses."
    )
    uploads_unused_max_bytes: int = Field(
        default=512 * 1024 * 1024,
        ge=1024,
        description="So much one person may have uploaded that nothing uses yet.",
    )
    passwords_at_once: int = Field(
        default=2,
        ge=1,
        description="Passwords hashed at the same time; each takes 64 MiB and four threads.",
    )
    sanitisers: int = Field(
        default=2, ge=1, description="Processes that make HTML mail harmless, at most."
    )
    sanitise_seconds: float = Field(
        default=5.0, gt=0, description="HTML that takes longer to make harmless is not shown."
    )
    image_seconds: float = Field(
        default=10.0, gt=0, description="A remote image that takes longer to fetch is not shown."
    )
    image_max_bytes: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="The largest remote image that is fetched."
    )
    images_per_minute: int = Field(
        default=1200, ge=1, description="Remote images that are fetched for one client."
    )
    image_fetches: int = Field(
        default=16, ge=1, description="Remote images that are fetched at a time."
    )
    discovery_seconds: float = Field(
        default=8.0, gt=0, description="Time to find the mail servers of an address."
    )
    discoveries: int = Field(
        default=32, ge=1, description="Addresses whose servers are looked for at a time."
    )
    discovery_name_servers: str = Field(
        default="",
        description="Name servers asked for MX and SRV records, comma-separated, with a port where"
        " it is not 53; empty: those of the machine.",
    )
    event_poll_seconds: float = Field(
        default=5.0, gt=0, description="The log is looked at this often, also without a hint."
    )
    event_heartbeat_seconds: float = Field(
        default=15.0, gt=0, description="An idle event stream says that it is alive this often."
    )
    event_readers_per_tenant: int = Field(
        default=200,
        ge=1,
        description="Readers that may follow one tenant's log at a time.",
    )
    event_log_days: float = Field(
        default=30.0, gt=0, description="How long events stay in the log."
    )
    webhook_allow_http: bool = Field(
        default=False, description="Allow webhooks whose events travel without TLS (http)."
    )
    webhook_seconds: float = Field(
        default=10.0, gt=0, description="An endpoint that answers later is told again."
    )
    webhook_retry_seconds: float = Field(
        default=5.0,
        gt=0,
        description="The pause after an endpoint's first failure; each next is twice as long, up"
        " to an hour.",
    )
    webhook_retry_days: float = Field(
        default=3.0, gt=0, description="A webhook that fails for so long is paused."
    )
    webhook_deliveries_at_once: int = Field(
        default=64, ge=2, description="Events that are delivered at a time, by one process."
    )
    webhook_accounts_at_once: int = Field(
        default=8, ge=1, description="Accounts whose events one webhook is told at a time."
    )
    webhook_delivery_days: float = Field(
        default=7.0, gt=0, description="How long it is remembered what an endpoint answered."
    )
    webhooks_per_tenant: int = Field(default=50, ge=0, description="Webhooks of one tenant.")
    undo_seconds: float = Field(
        default=30.0,
        ge=0,
        le=3600,
        description="How long a change of mail can be undone; what nothing brings back waits so"
        " long before it is carried out.",
    )
    job_days: int = Field(
        default=30, ge=1, description="How long it is remembered what became of a change."
    )
    tombstone_days: int = Field(
        default=90, ge=1, description="How long it is remembered that a message is gone."
    )
    export_days: float = Field(
        default=7.0, gt=0, description="How long the links of an export are good."
    )
    audit_days: int = Field(
        default=365, ge=90, description="How long it is kept who did what in a tenant."
    )
    audit_poll_seconds: float = Field(
        default=5.0, gt=0, description="How often it is written down who did what."
    )
    backup_days: int = Field(
        default=30,
        ge=0,
        description="How long backups of the database are kept, with what was deleted since.",
    )
    forget_poll_seconds: float = Field(
        default=10.0, gt=0, description="How often work of deletion is looked for."
    )
    shutdown_grace_seconds: int = Field(
        default=10, ge=1, description="Time for requests under way when the process is stopped."
    )

    @field_validator("default_tenant")
    @classmethod
    def _is_a_tenant(cls, value: str) -> str:
        if value:
            read(Kind.TENANT, value)  # a ValueError says that it is none
        return value

    @model_validator(mode="after")
    def _can_verify(self) -> Self:
        if self.require_verified_email and not self.system_smtp_host:
            raise ValueError("API_REQUIRE_VERIFIED_EMAIL needs API_SYSTEM_SMTP_HOST.")
        return self

    @property
    def default_tenant_id(self) -> UUID | None:
        return read(Kind.TENANT, self.default_tenant) if self.default_tenant else None

    @property
    def access_lives(self) -> timedelta:
        return timedelta(minutes=self.access_token_minutes)

    @property
    def invitation_lives(self) -> timedelta:
        return timedelta(days=self.invitation_days)

    @property
    def quotas(self) -> Quotas:
        """What a new tenant may have."""
        return Quotas(
            accounts=self.quota_accounts or None,
            storage_bytes=self.quota_storage_bytes or None,
            sends_per_day=self.quota_sends_per_day or None,
        )

    @property
    def system_server(self) -> SystemServer | None:
        """Where system mail is handed in, if there is such a place."""
        if not self.system_smtp_host:
            return None
        return SystemServer(
            host=self.system_smtp_host,
            port=self.system_smtp_port,
            security=self.system_smtp_security,
            username=self.system_smtp_username,
            password=self.system_smtp_password,
            sender=self.system_mail_from,
        )

    def link(self, page: str, token: str) -> str:
        """A link to the webmail. What is behind `#` stays in the browser, and out of logs."""
        return f"{self.public_url}/{page}" + (f"#{token}" if token else "")

    @property
    def refresh_lives(self) -> timedelta:
        return timedelta(days=self.refresh_token_days)

    @property
    def event_log_keep(self) -> timedelta:
        return timedelta(days=self.event_log_days)

    @property
    def webhook_delivery_keep(self) -> timedelta:
        return timedelta(days=self.webhook_delivery_days)

    @property
    def upload_keep(self) -> timedelta:
        return timedelta(hours=self.upload_hours)

    @property
    def undo_window(self) -> timedelta:
        return timedelta(seconds=self.undo_seconds)

    @property
    def job_keep(self) -> timedelta:
        return timedelta(days=self.job_days)

    @property
    def export_lives(self) -> timedelta:
        return timedelta(days=self.export_days)

    @property
    def audit_keep(self) -> timedelta:
        return timedelta(days=self.audit_days)

    @property
    def tombstone_keep(self) -> timedelta:
        return timedelta(days=self.tombstone_days)
