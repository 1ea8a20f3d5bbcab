"""TLS towards clients: what is spoken, and with which certificate."""

import ssl
from pathlib import Path

from cryptography import x509

from lb.errors import StartFailed

# Forward secrecy and authenticated encryption only; for TLS 1.3, all suites are such.
_TLS_1_2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return the context for PEM files of a certificate chain and its key.  Raises StartFailed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_1_2_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise StartFailed(
            f"the certificate {certificate} cannot be used with the key {key}: "
            f"{error.strerror if isinstance(error, OSError) and error.strerror else error}. "
            "Set MILLRACE_LB_TLS_CERTIFICATE and MILLRACE_LB_TLS_KEY to PEM files that belong "
            "together and that this user may read."
        ) from error
    return context


def expires_at(certificate: str) -> float:
    """Return when the first certificate of a PEM file, the server's, expires: seconds since 1970.

    Raises StartFailed.
    """
    try:
        served = x509.load_pem_x509_certificates(Path(certificate).read_bytes())[0]
    except (OSError, ValueError) as error:
        raise StartFailed(f"the certificate {certificate} cannot be read: {error}.") from error
    return served.not_valid_after_utc.timestamp()


def _no_password() -> str:
    """Refuse a key with a pass phrase: OpenSSL would ask for it on the terminal, and wait."""
    raise ValueError("the key has a pass phrase; store it without one")
