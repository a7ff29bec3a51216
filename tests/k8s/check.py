"""Asserts what every rendered pod must be: python3 tests/k8s/check.py OVERLAY MANIFESTS."""

import sys

import yaml

GRPC_PORT = 7070
ROLES = {"base": {"ingestion", "scoring", "segmentation", "metrics"}, "overlays/single": {"all"}}
# What a process may need after its calls have ended, to send its last traces.
FLUSH_S = 10

failures: list[str] = []


def check(where: str, holds: object, what: str) -> None:
    if not holds:
        failures.append(f"{where}: {what}")


def variables(container: dict, configs: dict) -> dict[str, str]:
    values: dict[str, str] = {}
    for source in container.get("envFrom", []):
        values |= configs.get(source["configMapRef"]["name"], {})
    return values | {variable["name"]: variable["value"] for variable in container.get("env", [])}


def check_pod(where: str, pod: dict) -> None:
    """What holds for a Job's pod as well as for a service's."""
    context = pod.get("securityContext", {})
    check(where, context.get("runAsNonRoot") is True and context.get("runAsUser") == 65532, "must run as user 65532, not root")
    check(where, context.get("seccompProfile", {}).get("type") == "RuntimeDefault", "needs seccomp RuntimeDefault")
    check(where, pod.get("automountServiceAccountToken") is False, "must not mount a service account token")
    check(where, pod.get("enableServiceLinks") is False, "must not get variables of other services")
    mounts = {mount["name"] for container in pod["containers"] for mount in container.get("volumeMounts", [])}
    check(where, mounts == {volume["name"] for volume in pod.get("volumes", [])}, "mounts and volumes must be the same")
    for container in pod["containers"]:
        inner = container.get("securityContext", {})
        check(where, inner.get("readOnlyRootFilesystem") is True, "needs a read-only root file system")
        check(where, inner.get("allowPrivilegeEscalation") is False, "must not gain privileges")
        check(where, inner.get("capabilities", {}).get("drop") == ["ALL"], "must drop all capabilities")
        resources = container.get("resources", {})
        check(where, {"cpu", "memory"} <= resources.get("requests", {}).keys(), "must request CPU and memory")
        check(where, "memory" in resources.get("limits", {}), "needs a limit on memory")


def check_service_pod(where: str, pod: dict, configs: dict) -> None:
    (container,) = pod["containers"]
    for probe, service in {"startupProbe": "liveness", "livenessProbe": "liveness", "readinessProbe": None}.items():
        grpc = container.get(probe, {}).get("grpc", {})
        check(where, grpc.get("port") == GRPC_PORT, f"needs a gRPC {probe}")
        check(where, grpc.get("service") == service, f"{probe} must ask for {service or 'the whole process'}")
    values = variables(container, configs)
    if values.get("SEXTANT_STORE__KIND") == "embedded":
        check(where, values.get("SEXTANT_SERVER__EXPOSE") == "true", "the embedded engine listens outside loopback only with server.expose")
    check(where, values.get("SEXTANT_SERVER__LISTEN") == f"0.0.0.0:{GRPC_PORT}", "must listen where probes and clients call")
    pause_s = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    check(where, pause_s > 0, "needs a preStop sleep")
    drain_ms = int(values.get("SEXTANT_SERVER__DRAIN_NOTICE_MS", 0)) + int(values.get("SEXTANT_SERVER__DRAIN_MS", 0))
    grace_s = pod.get("terminationGracePeriodSeconds", 30)
    check(where, grace_s >= pause_s + drain_ms / 1000 + FLUSH_S, f"{grace_s} s are too short for its drain")


def check_addresses(where: str, pod: dict, services: dict) -> None:
    """Addresses of other services must lead to a Service of this overlay."""
    for variable in pod["containers"][0].get("env", []):
        if variable["name"].startswith("SEXTANT_SERVICES__"):
            host, _, port = variable["value"].removeprefix("http://").partition(":")
            known = host in services and port == str(GRPC_PORT)
            check(where, known, f"{variable['name']} leads to {variable['value']}, which no Service has")


def check_selectors(services: dict, pods: dict) -> None:
    for name, service in services.items():
        selector = service["selector"].items()
        chosen = [pod for pod, template in pods.items() if selector <= template["metadata"]["labels"].items()]
        check(f"Service {name}", chosen == [name], f"must lead to the pods of {name} alone, leads to {chosen}")
        check(f"Service {name}", service.get("clusterIP") == "None", "must be headless")


def check_budgets(budgets: dict, pods: dict) -> None:
    """A budget without a selector protects nothing."""
    for name, budget in budgets.items():
        selector = budget.get("selector", {}).get("matchLabels", {}).items()
        chosen = [pod for pod, template in pods.items() if selector and selector <= template["metadata"]["labels"].items()]
        check(f"PodDisruptionBudget {name}", chosen == [name], f"must protect the pods of {name} alone, protects {chosen}")


def main() -> None:
    overlay, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        documents = list(yaml.safe_load_all(file))

    def of_kind(kind: str) -> dict:
        return {document["metadata"]["name"]: document for document in documents if document["kind"] == kind}

    configs = {name: document["data"] for name, document in of_kind("ConfigMap").items()}
    services = {name: document["spec"] for name, document in of_kind("Service").items()}
    deployments = {name: document["spec"]["template"] for name, document in of_kind("Deployment").items()}
    roles = set()
    for name, template in deployments.items():
        where, pod = f"Deployment {name}", template["spec"]
        command, role = pod["containers"][0]["args"]
        check(where, command == "serve", "must serve")
        roles.add(role)
        check_pod(where, pod)
        check_service_pod(where, pod, configs)
        check_addresses(where, pod, services)
    check(overlay, roles == ROLES[overlay], f"must run {sorted(ROLES[overlay])}, runs {sorted(roles)}")
    check_selectors(services, deployments)
    check_budgets({name: document["spec"] for name, document in of_kind("PodDisruptionBudget").items()}, deployments)
    for name, job in of_kind("Job").items():
        check_pod(f"Job {name}", job["spec"]["template"]["spec"])
    check(overlay, bool(of_kind("Job")) == (overlay == "base"), "PostgreSQL needs a migration, the embedded engine none")
    check(overlay, not of_kind("Secret"), "must not hold secrets")

    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(bool(failures))


main()
