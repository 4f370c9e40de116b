"""A bucket on this machine, and what else Kubernetes needs that is no cluster."""

import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from system.conftest import environment

BUCKET = "topdb"
"""As `profiles/kubernetes` names it."""
PLUGINS = (
    "snakemake_executor_plugin_kubernetes",
    "snakemake_executor_plugin_cluster_generic",
    "snakemake_storage_plugin_s3",
)


class Bucket:
    """A bucket of an S3 server on loopback."""

    def __init__(self, address: str) -> None:
        self.address = address
        request = urllib.request.Request(f"{address}/{BUCKET}", method="PUT")
        urllib.request.urlopen(request, timeout=30).close()

    def snakemake(self, folder: Path, *options: str, **variables: str) -> str:
        """Run Snakemake with its files in the bucket, to a good end; return what it says."""
        keys = ("SNAKEMAKE_STORAGE_S3_ACCESS_KEY", "SNAKEMAKE_STORAGE_S3_SECRET_KEY")
        done = subprocess.run(
            ["snakemake", *options, "--storage-s3-endpoint-url", self.address],
            cwd=folder,
            env={**environment(), **dict.fromkeys(keys, "test"), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def content(self, name: str) -> bytes:
        """Return a file of the bucket."""
        import boto3

        client = boto3.client(
            "s3",
            endpoint_url=self.address,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        with client.get_object(Bucket=BUCKET, Key=name)["Body"] as body:
            return bytes(body.read())


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """An empty bucket."""
    moto = pytest.importorskip("moto.server", reason="moto's S3 server is not installed")
    for plugin in PLUGINS:
        pytest.importorskip(plugin, reason=f"{plugin} is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Bucket(f"http://{host}:{port}")
    server.stop()
