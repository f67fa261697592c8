from __future__ import annotations

import datetime
import re
import shutil
import ssl
import subprocess
from importlib.resources import files

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from cdk_breakwater.limits.rds_certificates import UnknownRdsCertificates, expires, rds_certificates

HEADING = re.compile(r"^# (\S+) (\S+) expires (\S+)$", re.MULTILINE)
REGIONS = sorted({match[1] for match in HEADING.finditer(rds_certificates(None))})


def common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_all_of_the_file_is_found() -> None:
    text = (files("cdk_breakwater.limits") / "data" / "rds-ca-bundle-g1.pem").read_text()
    assert rds_certificates(None) == text
    assert text.count("BEGIN CERTIFICATE") == len(HEADING.findall(text)) == 81
    assert len(REGIONS) == 27


@pytest.mark.parametrize("region", REGIONS)
def test_the_headings_are_true(region: str) -> None:
    pem = rds_certificates(region)
    certificates = x509.load_pem_x509_certificates(pem.encode())
    keys = set()
    for heading, certificate in zip(HEADING.finditer(pem), certificates, strict=True):
        of_region, key, last_day = heading.groups()
        assert of_region == region
        assert common_name(certificate) == f"Amazon RDS {region} Root CA {key} G1"
        assert certificate.not_valid_after_utc.date().isoformat() == last_day
        assert certificate.subject == certificate.issuer
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        certificate.verify_directly_issued_by(certificate)
        public = certificate.public_key()
        if key == "ECC384":
            assert isinstance(public, ec.EllipticCurvePublicKey)
            assert public.curve.key_size == 384
        else:
            assert isinstance(public, rsa.RSAPublicKey)
            assert f"RSA{public.key_size}" == key
        keys.add(key)
    assert keys == {"ECC384", "RSA2048", "RSA4096"}
    assert expires(region) == min(certificate.not_valid_after_utc.date() for certificate in certificates)


@pytest.mark.parametrize("region", ["eu-west-1", None, "${Token[AWS.Region.12]}"])
def test_clients_ignore_the_headings(region: str | None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=rds_certificates(region))
    assert len(context.get_ca_certs()) == (3 if region == "eu-west-1" else 81)


def test_openssl_ignores_the_headings() -> None:
    openssl = shutil.which("openssl")
    assert openssl, "the command openssl is needed: apt-get install openssl"
    command = [openssl, "storeutl", "-noout", "-certs", "/dev/stdin"]
    done = subprocess.run(command, input=rds_certificates("eu-west-1"), capture_output=True, text=True, check=True)
    assert "Total found: 3" in done.stdout


def test_the_earliest_of_all_regions() -> None:
    assert expires(None) == min(expires(region) for region in REGIONS) == datetime.date(2061, 5, 19)


@pytest.mark.parametrize("region", ["il-central-1", "us-gov-west-1", "cn-north-1", ""])
def test_a_region_without_roots(region: str) -> None:
    for function in (rds_certificates, expires):
        with pytest.raises(
            UnknownRdsCertificates, match=rf"RDS in {region} are not part.*certificate_authority=…"
        ) as error:
            function(region)
        assert "il-central-1" in str(error.value)
        assert str(error.value) == f"{error.value.problem} {error.value.remedy}"
