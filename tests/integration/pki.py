"""Certificates for tests, made with openssl: a CA, whoever it signs, and a list of whom it revokes."""

import datetime
import os
import pathlib
import subprocess


def openssl(*arguments, text=None):
    result = subprocess.run(["openssl", *(str(one) for one in arguments)], input=text, capture_output=True, text=True,
                            check=False)
    if result.returncode != 0:
        raise AssertionError(f"openssl {' '.join(str(one) for one in arguments)}:\n{result.stderr}")
    return result.stdout


def stamp(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%Y%m%d%H%M%SZ")


class Authority:
    """A CA in a folder of its own."""

    def __init__(self, folder, name="ca"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.name = name
        self.certificate = self.folder / f"{name}.crt"
        self.key = self.folder / f"{name}.key"
        self.index = self.folder / f"{name}.index"
        self.index.touch()
        (self.folder / f"{name}.serial").write_text("1000\n")
        (self.folder / f"{name}.crlnumber").write_text("1000\n")
        self.config = self.folder / f"{name}.cnf"
        self.config.write_text(f"""
[ca]
default_ca = own
[own]
database = {self.index}
serial = {self.folder}/{name}.serial
crlnumber = {self.folder}/{name}.crlnumber
new_certs_dir = {self.folder}
certificate = {self.certificate}
private_key = {self.key}
default_md = sha256
policy = anything
copy_extensions = copy
unique_subject = no
[anything]
commonName = optional
""")
        self.make_key(self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-out", self.certificate, "-subj", f"/CN={name}", "-days",
                "30")

    @staticmethod
    def make_key(path):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
        os.chmod(path, 0o600)

    def issue(self, name, names="", begins=-1, ends=10):
        """Returns (certificate, key); `names` as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1"."""
        certificate, key, request = (self.folder / f"{name}.{end}" for end in ("crt", "key", "csr"))
        self.make_key(key)
        extra = ("-addext", f"subjectAltName={names}") if names else ()
        openssl("req", "-new", "-key", key, "-out", request, "-subj", f"/CN={name}", *extra)
        openssl("ca", "-batch", "-notext", "-config", self.config, "-in", request, "-out", certificate, "-startdate",
                stamp(begins), "-enddate", stamp(ends))
        return certificate, key

    def revoke(self, *certificates):
        """The list of everybody who is revoked."""
        for one in certificates:
            openssl("ca", "-config", self.config, "-revoke", one)
        revoked = self.folder / f"{self.name}.crl"
        openssl("ca", "-config", self.config, "-gencrl", "-crldays", "7", "-out", revoked)
        return revoked


def pin(certificate):
    """As the key `pin` has it."""
    public = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], check=True,
                            capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public, check=True,
                         capture_output=True).stdout
    digest = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=der, check=True,
                            capture_output=True).stdout
    base64 = subprocess.run(["openssl", "base64", "-A"], input=digest, check=True, capture_output=True).stdout
    return f"sha256/{base64.decode()}"
