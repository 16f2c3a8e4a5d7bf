"""The container files: accepted by the tools that know their formats, and closed to the outside."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import ServerSettings
from database.settings import ROOT, IndexSettings
from tests.fakes.nginx import EXAMPLES, NGINX, write_files

BIN = Path(sys.executable).parent
ONE_SHOT = {"models", "loader"}


class ComposeLoader(yaml.SafeLoader):
    """Reads Compose's own `!reset` and `!override`: nothing, and the list that takes the place of another."""


ComposeLoader.add_constructor("!reset", lambda loader, node: [] if isinstance(node, yaml.SequenceNode) else None)
ComposeLoader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node, deep=True))


def read_compose(name: str) -> dict[str, Any]:
    """One compose file as plain data."""
    return yaml.load((ROOT / name).read_text("utf-8"), ComposeLoader)


def check_schema(compose: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """The verdict of the Compose specification's schema."""
    path = folder / "compose.json"
    path.write_text(json.dumps(compose))
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def check_workflow(path: Path) -> subprocess.CompletedProcess[str]:
    """The verdict of the schema of workflows."""
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def lint_dockerfile(path: Path) -> subprocess.CompletedProcess[str]:
    """The verdict of hadolint."""
    return subprocess.run([BIN / "hadolint", path], capture_output=True, text=True, timeout=120)


@pytest.fixture
def stack() -> dict[str, Any]:
    return read_compose("docker-compose.yml")


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.cpu.yml", "docker-compose.scale.yml"])
def test_compose_file_follows_the_specification(name: str, tmp_path: Path) -> None:
    result = check_schema(read_compose(name), tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_schema_refuses_a_wrong_key(stack: dict[str, Any], tmp_path: Path) -> None:
    stack["services"]["app"]["imagee"] = "x"
    result = check_schema(stack, tmp_path)
    assert result.returncode == 1 and "imagee" in result.stdout + result.stderr


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_a_workflow_follows_the_schema_and_may_do_little(path: Path) -> None:
    result = check_workflow(path)
    assert result.returncode == 0, result.stdout + result.stderr
    workflow = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
    assert workflow["permissions"] == {"contents": "read"}
    writing = {name for name, job in workflow["jobs"].items() if "write" in job.get("permissions", {}).values()}
    assert writing <= {"image"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert {"run": ".ci/run"} in steps
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] == "false" for step in checkouts)


def test_the_schema_refuses_a_wrong_workflow(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text((ROOT / ".github/workflows/checks.yml").read_text("utf-8").replace("runs-on:", "run-on:"))
    assert check_workflow(wrong).returncode == 1


def test_dockerfile_passes_hadolint() -> None:
    result = lint_dockerfile(ROOT / "Dockerfile")
    assert result.returncode == 0, result.stdout + result.stderr


def test_hadolint_refuses_an_unpinned_base(tmp_path: Path) -> None:
    broken = tmp_path / "Dockerfile"
    broken.write_text((ROOT / "Dockerfile").read_text("utf-8").replace("python:3.11.13-slim-bookworm", "python:latest"))
    result = lint_dockerfile(broken)
    assert result.returncode != 0 and "DL3007" in result.stdout


def test_the_image_has_what_ocr_reads_with_by_default() -> None:
    *_, last = (ROOT / "Dockerfile").read_text("utf-8").split("\nFROM ")
    for language in IndexSettings.load().ocr_language.split("+"):
        assert f" tesseract-ocr-{language} " in last


def test_every_port_is_published_on_this_machine_only(stack: dict[str, Any]) -> None:
    ports = [port for service in stack["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(re.fullmatch(r"127\.0\.0\.1:.+:\d+", port) for port in ports), ports


def image_names(stack: dict[str, Any]) -> list[str]:
    """Every image that is fetched from a registry, Dockerfile included."""
    stages = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    return stages + [service["image"] for service in stack["services"].values() if "build" not in service]


def test_every_image_is_pinned_to_a_full_version(stack: dict[str, Any]) -> None:
    images = image_names(stack)
    assert len(images) == 6
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in images), images


def test_the_stack_holds_no_password(stack: dict[str, Any]) -> None:
    secrets = {
        name: str(value)
        for service in stack["services"].values()
        for name, value in service.get("environment", {}).items()
        if re.search("PASSWORD|KEY|SECRET|URI", name)
    }
    assert secrets
    assert all("${MONGODB_PASSWORD:?" in value for value in secrets.values()), secrets


def test_services_wait_for_what_they_need(stack: dict[str, Any]) -> None:
    waits = {
        (name, other, need["condition"])
        for name, service in stack["services"].items()
        for other, need in service.get("depends_on", {}).items()
    }
    assert waits == {
        ("models", "ollama", "service_healthy"),
        ("loader", "mongodb", "service_healthy"),
        ("loader", "ollama", "service_healthy"),
        ("loader", "models", "service_completed_successfully"),
        ("app", "mongodb", "service_healthy"),
        ("app", "ollama", "service_healthy"),
        ("app", "loader", "service_completed_successfully"),
    }
    assert all("healthcheck" in service for name, service in stack["services"].items() if name != "models")


def test_mongodb_keeps_its_name_its_volumes_and_its_own_health_check(stack: dict[str, Any]) -> None:
    mongodb = stack["services"]["mongodb"]
    assert mongodb["hostname"] == "mongodb"
    assert {volume.split(":")[1] for volume in mongodb["volumes"]} == {"/data/db", "/data/configdb", "/data/mongot"}
    assert not {"command", "entrypoint"} & set(mongodb)
    assert "test" not in mongodb["healthcheck"]
    assert mongodb["environment"]["DO_NOT_TRACK"] == 1


@pytest.mark.parametrize("name", ["loader", "app"])
def test_our_containers_are_confined(stack: dict[str, Any], name: str) -> None:
    service = stack["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r"^USER 10001:10001$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)


def test_only_one_shot_services_are_not_started_again(stack: dict[str, Any]) -> None:
    assert {name for name, service in stack["services"].items() if service["restart"] == "no"} == ONE_SHOT


def test_the_gpu_is_reserved_and_the_override_takes_it_away(stack: dict[str, Any]) -> None:
    devices = stack["services"]["ollama"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert "deploy: !reset null" in (ROOT / "docker-compose.cpu.yml").read_text("utf-8")


def test_several_servers_have_nothing_that_only_one_can_have(stack: dict[str, Any]) -> None:
    text, services = (ROOT / "docker-compose.scale.yml").read_text("utf-8"), read_compose("docker-compose.scale.yml")
    app, nginx = services["services"]["app"], services["services"]["nginx"]
    assert "container_name" not in stack["services"]["app"] | app and "ports: !reset []" in text
    assert [v["target"] for v in app["volumes"]] == ["/app/pdf"] and "volumes: !override" in text
    assert nginx["ports"] == ["127.0.0.1:${PORT:-8000}:8080"]
    assert nginx["depends_on"] == {"app": {"condition": "service_healthy"}}
    assert (nginx["read_only"], nginx["cap_drop"]) == (True, ["ALL"])
    assert re.search(r":\d+\.\d+\.\d+$", nginx["image"])
    for volume in nginx["volumes"]:
        assert (ROOT / volume.split(":")[0]).is_file()
    networks = ServerSettings(
        trusted_proxies=app["environment"]["TRUSTED_PROXIES"].partition(":-")[2][:-1]
    ).trusted_networks
    assert all(network.is_private for network in networks) and len(networks) == 3


def test_the_example_passes_everything_on_as_it_comes() -> None:
    """Also what does not say so itself, as streams of answers do."""
    text = (EXAMPLES / "acervo.conf").read_text("utf-8")
    for line in ("proxy_buffering off;", "proxy_request_buffering off;", "gzip off;", "client_max_body_size 0;"):
        assert f"    {line}\n" in text


def test_nginx_takes_the_example(tmp_path: Path) -> None:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    write_files(tmp_path, 8080, ["http://127.0.0.1:8001"])
    command = [NGINX, "-t", "-p", f"{tmp_path}/", "-c", "nginx.conf"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    (tmp_path / "acervo.conf").write_text("server { proxy_bufering off; }")
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (3, 0), (1, 1), (2, 2)])
def test_skipped_files_do_not_keep_the_server_down(
    stack: dict[str, Any], tmp_path: Path, status: int, expected: int
) -> None:
    """The loader's own command line, with a loader that ends with `status`."""
    loader = stack["services"]["loader"]
    (tmp_path / "database").mkdir()
    (tmp_path / "database/main.py").write_text(f"raise SystemExit({status})")
    script = loader["command"][0].replace("$$", "$").replace("python ", f"{sys.executable} ", 1)
    result = subprocess.run([*loader["entrypoint"], script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == expected
    assert ("skipped" in result.stderr) == (status == 3)


def test_models_are_fetched_only_when_they_are_missing(stack: dict[str, Any], tmp_path: Path) -> None:
    """The service's own command line, with an `ollama` that knows one of the two models."""
    log = tmp_path / "log"
    fake = tmp_path / "ollama"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {log}\ntest "$1" != show || test "$2" = known\n')
    fake.chmod(0o755)
    models = stack["services"]["models"]
    script = models["command"][0].replace("$$", "$")
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CHAT_MODEL": "known", "EMBEDDING_MODEL": "new"}
    subprocess.run([*models["entrypoint"], script], env=environment, check=True, timeout=60)
    assert log.read_text().splitlines() == ["show known", "show new", "pull new"]
