"""The chart, as operators use it: which values it takes, what each switch makes of them, and that everything fits together."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

import kubernetes_validate
import yaml

CHART = Path("helm/lrs-gateway")
HELM = Path(sys.executable).parent / "helm"
GOOD = [CHART / "values.yaml", *sorted((CHART / "ci").glob("*-values.yaml"))]
WRONG = sorted((CHART / "ci/wrong").glob("*.yaml"))
KUBERNETES = ["1.25", "1.34"]  # the oldest the chart says it fits, and a recent one
NOT_IN_KUBERNETES = {"ServiceMonitor", "PrometheusRule"}  # of the Prometheus operator: no schema here

# What there is: the gateway's own tests hold this page against a scrape.
METRICS = set(re.findall(r"^\| `lrs_gateway_(\w+)`", Path("docs/METRICS.md").read_text(), re.M))

# Settings of gateway.toml that the chart makes from other values.
MADE_BY_THE_CHART = {
    "server.listen", "server.admin_listen", "server.tls.certificate_file", "server.tls.key_file", "lrs.ca_certificate_file",
    "store.redis_url", "store.redis_ca_certificate_file", "store.encryption_key_file", "audit.file", "audit.key_file", "organisations.directory",
    "lrs.tls_backend",  # the image has the default only
}


def helm(*arguments):
    return subprocess.run([HELM, *map(str, arguments)], capture_output=True, text=True)


def render(*arguments, values=None, chart=CHART):
    """The objects by kind and name. Arguments are for --set."""
    files = ["-f", values] if values else []
    sets = [part for argument in arguments for part in ("--set", argument)]
    rendered = helm("template", "try", chart, "--namespace", "lrs", *files, *sets)
    if rendered.returncode:
        raise AssertionError(rendered.stderr)
    objects = [each for each in yaml.safe_load_all(rendered.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def config(objects, name="try-lrs-gateway"):
    return tomllib.loads(objects["ConfigMap", name]["data"]["gateway.toml"])


def gateway(objects, name="try-lrs-gateway"):
    return objects["Deployment", name]["spec"]["template"]


def pods(objects):
    for (kind, name), each in objects.items():
        if kind == "Deployment":
            yield name, each["spec"]["template"]["metadata"]["labels"], each["spec"]["template"]["spec"]
        if kind == "Pod":
            yield name, each["metadata"]["labels"], each["spec"]


class Values(unittest.TestCase):
    def test_good_values_are_taken(self):
        for values in GOOD:
            with self.subTest(values.name):
                linted = helm("lint", "--strict", CHART, "-f", values)
                self.assertEqual(linted.returncode, 0, linted.stdout + linted.stderr)
                for (kind, name), each in render(values=values).items():
                    for version in KUBERNETES if kind not in NOT_IN_KUBERNETES else []:
                        with self.subTest(object=f"{kind} {name}", kubernetes=version):
                            kubernetes_validate.validate(each, version, strict=True)

    def test_wrong_values_are_refused_with_a_reason(self):
        self.assertGreater(len(WRONG), 10)
        for values in WRONG:
            with self.subTest(values.name):
                reason = values.read_text().splitlines()[0].removeprefix("# Refused with: ")
                refused = helm("template", "try", CHART, "-f", values)
                self.assertNotEqual(refused.returncode, 0, "it was taken")
                self.assertIn(reason, refused.stderr)
                self.assertLess(len(refused.stderr.splitlines()), 10, refused.stderr)

    def test_every_setting_of_the_readme_can_be_given(self):
        schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]
        missing = [setting for setting in readme_settings() if setting not in MADE_BY_THE_CHART and not known(schema, setting)]
        self.assertEqual(missing, [], "settings of README.md that values.schema.json does not know: add them there, under config")

    def test_every_value_is_documented_by_its_default(self):
        schema, values = json.loads((CHART / "values.schema.json").read_text()), yaml.safe_load((CHART / "values.yaml").read_text())
        self.assertEqual(set(schema["properties"]) - {"global"}, set(values))


def readme_settings():
    """The names in the first column of README's table: `a.b`, `.c` stands for a.b and a.c."""
    table = Path("README.md").read_text().split("<!-- settings -->")[1].split("\n\n")[0]
    for row in table.strip().splitlines()[2:]:
        names = re.findall(r"`([^`]+)`", row.split("|")[1])
        section = names[0].rpartition(".")[0]
        yield from (section + name if name.startswith(".") else name for name in names)


def known(schema, setting):
    for part in setting.split("."):
        schema = schema.get("properties", {}).get(part.removesuffix("[]"))
        if schema is None:
            return False
        schema = schema.get("items", schema) if part.endswith("[]") else schema
    return True


class Switches(unittest.TestCase):
    """Switch on, switch off, object there, object not there."""

    REDIS = ("redis.existingSecret=r", "encryptionKey.existingSecret=k")
    # values that put it there; values without it; the object
    TABLE = [
        ((), ("serviceAccount.create=false",), ("ServiceAccount", "try-lrs-gateway")),
        ((), ("podDisruptionBudget.enabled=false",), ("PodDisruptionBudget", "try-lrs-gateway")),
        ((), ("networkPolicy.enabled=false",), ("NetworkPolicy", "try-lrs-gateway")),
        ((*REDIS, "autoscaling.enabled=true"), REDIS, ("HorizontalPodAutoscaler", "try-lrs-gateway")),
        (("monitoring.serviceMonitor.enabled=true",), (), ("ServiceMonitor", "try-lrs-gateway")),
        (("monitoring.prometheusRule.enabled=true",), (), ("PrometheusRule", "try-lrs-gateway")),
        (("monitoring.dashboard.enabled=true",), (), ("ConfigMap", "try-lrs-gateway-dashboard")),
        (("simulator.enabled=true",), (), ("Deployment", "try-lrs-gateway-simulator")),
        (("simulator.enabled=true",), (), ("Service", "try-lrs-gateway-simulator")),
        (("simulator.enabled=true",), (), ("Secret", "try-lrs-gateway-sandbox-organisations")),
        (("simulator.enabled=true",), (), ("Secret", "try-lrs-gateway-sandbox-token")),
        (("simulator.enabled=true",), ("simulator.enabled=true", "networkPolicy.enabled=false"), ("NetworkPolicy", "try-lrs-gateway-simulator")),
    ]

    def test_objects(self):
        for on, off, thing in self.TABLE:
            with self.subTest(thing=thing, on=on, off=off):
                with_it, without = render(*on), render(*off)
                self.assertIn(thing, with_it)
                self.assertNotIn(thing, without)

    def test_mounted_secrets(self):
        for value, volume, place in [
            ("issuers.existingSecret=s", "issuers", None),
            ("encryptionKey.existingSecret=s", "store", ("store", "encryption_key_file", "/etc/lrs-gateway/store/store.key")),
            ("auditKey.existingSecret=s", "audit", ("audit", "key_file", "/etc/lrs-gateway/audit/audit.key")),
            ("tls.existingSecret=s", "tls", ("server", "tls", {"certificate_file": "/etc/lrs-gateway/tls/tls.crt", "key_file": "/etc/lrs-gateway/tls/tls.key"})),
            ("authorities.existingConfigMap=s", "authorities", None),
        ]:
            with self.subTest(value):
                for objects, there in [(render(value), True), (render(), False)]:
                    self.assertEqual(volume in [each["name"] for each in gateway(objects)["spec"]["volumes"]], there)
                    if place:
                        section, key, expected = place
                        self.assertEqual(config(objects).get(section, {}).get(key), expected if there else None)

    def test_parts_of_objects(self):
        spec = gateway(render("topologySpread.enabled=false"))["spec"]
        self.assertNotIn("topologySpreadConstraints", spec)
        self.assertEqual(len(gateway(render())["spec"]["topologySpreadConstraints"]), 2)
        deployment = lambda *values: render(*values)["Deployment", "try-lrs-gateway"]["spec"]
        self.assertEqual(deployment(*self.REDIS, "replicaCount=4")["replicas"], 4)
        self.assertNotIn("replicas", deployment(*self.REDIS, "autoscaling.enabled=true"), "the autoscaler's")
        variables = lambda *values: {each["name"]: each for each in gateway(render(*values))["spec"]["containers"][0]["env"]}
        url = variables(*self.REDIS)["LRS_GATEWAY__STORE__REDIS_URL"]["valueFrom"]
        self.assertEqual(url, {"secretKeyRef": {"name": "r", "key": "redis-url"}})
        self.assertNotIn("LRS_GATEWAY__STORE__REDIS_URL", variables())
        policy = lambda *values: render(*values)["NetworkPolicy", "try-lrs-gateway"]["spec"]
        ports = lambda *values: [[port["port"] for port in rule["ports"]] for rule in policy(*values)["egress"]]
        self.assertEqual(ports(), [[53, 53], [443]])
        self.assertEqual(ports(*self.REDIS, "networkPolicy.redisPorts={6380}"), [[53, 53], [443], [6380]])
        self.assertEqual(ports("simulator.enabled=true"), [[53, 53], [8081], [443]])

    def test_secrets_are_made_for_a_sandbox_only(self):
        for values in GOOD:
            sandbox = "sandbox" in values.name
            self.assertEqual(any(kind == "Secret" for kind, _ in render(values=values)), sandbox, values.name)


class Configuration(unittest.TestCase):
    def test_everything_arrives_in_the_toml_as_it_was_given(self):
        values = yaml.safe_load((CHART / "ci/full-values.yaml").read_text())["config"]
        written = config(render(values=CHART / "ci/full-values.yaml"), "lrs")
        for issuer in values["auth"]["issuers"]:
            issuer["public_key_file"] = "/etc/lrs-gateway/issuers/" + issuer["public_key_file"]
        self.assertEqual(written["auth"], values["auth"])
        self.assertEqual(written["limits"], {**values["limits"], "expected_replicas": 9})
        for section in values.keys() - {"auth", "limits"}:
            for key, value in values[section].items():
                self.assertEqual(written[section][key], value, f"{section}.{key}")
                self.assertIs(type(written[section][key]), type(value), f"{section}.{key}")

    def test_another_configuration_restarts_pods_and_another_secret_does_not(self):
        checksum = lambda *values: gateway(render(*values))["metadata"]["annotations"]["checksum/config"]
        self.assertEqual(checksum(), checksum("image.tag=v9", "organisations.existingSecrets={a,b}"))
        self.assertNotEqual(checksum(), checksum("config.lrs.timeout_seconds=9"))
        organisations = next(each for each in gateway(render())["spec"]["volumes"] if each["name"] == "organisations")
        self.assertEqual(organisations["projected"]["sources"], [{"secret": {"name": "lrs-gateway-organisations"}}])

    def test_a_mounted_directory_is_renewed_and_a_single_file_would_not_be(self):
        for values in GOOD:
            for name, _, pod in pods(render(values=values)):
                for container in pod["containers"]:
                    self.assertFalse([each for each in container.get("volumeMounts", []) if "subPath" in each], name)


class Fit(unittest.TestCase):
    """Objects find each other, and no container may do more than it must."""

    def test_pods_may_do_nothing_but_run(self):
        for values in GOOD:
            for name, _, pod in pods(render(values=values)):
                with self.subTest(values=values.name, pod=name):
                    self.assertFalse(pod["automountServiceAccountToken"] or pod["enableServiceLinks"])
                    self.assertTrue(pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 10000)
                    self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                    for container in pod["containers"]:
                        security = container["securityContext"]
                        self.assertTrue(security["readOnlyRootFilesystem"])
                        self.assertFalse(security["allowPrivilegeEscalation"])
                        self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
                        self.assertIn("memory", container["resources"]["limits"])
                        self.assertIn("cpu", container["resources"]["requests"])

    def test_probes_ask_the_operators_port(self):
        pod = gateway(render())["spec"]
        container = pod["containers"][0]
        ask = {probe: (container[probe]["httpGet"]["path"], container[probe]["httpGet"]["port"]) for probe in container if probe.endswith("Probe")}
        expected = {"startupProbe": "/health/live", "livenessProbe": "/health/live", "readinessProbe": "/health/ready"}
        self.assertEqual(ask, {probe: (path, "admin") for probe, path in expected.items()})
        self.assertEqual(config(render())["server"], {"listen": "0.0.0.0:8080", "admin_listen": "0.0.0.0:9090"})
        self.assertEqual([(port["name"], port["containerPort"]) for port in container["ports"]], [("api", 8080), ("admin", 9090)])
        self.assertEqual(pod["terminationGracePeriodSeconds"], 75)
        self.assertNotIn("lifecycle", container)

    def test_volumes_are_mounted_and_mounts_have_volumes(self):
        for values in GOOD:
            for name, _, pod in pods(render(values=values)):
                volumes = sorted(each["name"] for each in pod.get("volumes", []))
                mounts = sorted(each["name"] for container in pod["containers"] for each in container.get("volumeMounts", []))
                self.assertEqual(volumes, mounts, f"{values.name}: {name}")

    def test_selectors_find_what_they_mean(self):
        for values in GOOD:
            objects = render(values=values)
            labels = {name: labels for name, labels, _ in pods(objects)}
            found = lambda selector: [name for name, each in labels.items() if selector.items() <= each.items()]
            full = next(name for kind, name in objects if kind == "HorizontalPodAutoscaler" or kind == "Deployment" and not name.endswith("simulator"))
            for (kind, name), each in objects.items():
                with self.subTest(values=values.name, kind=kind, name=name):
                    expected = [name if name.endswith("simulator") else full]
                    if kind == "Service":
                        self.assertEqual(found(each["spec"]["selector"]), expected)
                        ports = [port["name"] for _, _, pod in pods(objects) for container in pod["containers"] for port in container.get("ports", [])]
                        self.assertLessEqual({port["targetPort"] for port in each["spec"]["ports"]}, set(ports))
                    if kind == "NetworkPolicy":
                        self.assertEqual(found(each["spec"]["podSelector"]["matchLabels"]), expected)
                    if kind in ("Deployment", "PodDisruptionBudget"):
                        self.assertEqual(found(each["spec"]["selector"]["matchLabels"]), expected)
                    if kind == "HorizontalPodAutoscaler":
                        self.assertIn((each["spec"]["scaleTargetRef"]["kind"], each["spec"]["scaleTargetRef"]["name"]), objects)
                    if kind == "ServiceMonitor":
                        services = [service for (kind, _), service in objects.items() if kind == "Service"
                                    and each["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()]
                        self.assertEqual([port["name"] for service in services for port in service["spec"]["ports"]], ["admin"])
                        self.assertEqual([endpoint["port"] for endpoint in each["spec"]["endpoints"]], ["admin"])

    def test_a_digest_decides(self):
        image = lambda *values: gateway(render(*values))["spec"]["containers"][0]["image"]
        self.assertEqual(image(), "lrs-gateway:0.1.0")
        digest = "sha256:" + "0123456789abcdef" * 4
        self.assertEqual(image("image.tag=v9", f"image.digest={digest}"), f"lrs-gateway:v9@{digest}")


class Monitoring(unittest.TestCase):
    def test_alerts_and_dashboard_use_metrics_that_exist_and_leave_none_out(self):
        alerts, dashboard = ((CHART / "files" / name).read_text() for name in ("alerts.yaml", "dashboard.json"))
        used = {re.sub("_(bucket|count)$", "", name) for name in re.findall(r"lrs_gateway_(\w+)", alerts + dashboard)}
        self.assertEqual(used, METRICS)

    def test_alerts_are_for_this_release_and_those_not_wanted_are_left_out(self):
        rules = render(values=CHART / "ci/full-values.yaml")["PrometheusRule", "lrs"]["spec"]["groups"]
        names = [rule["alert"] for group in rules for rule in group["rules"]]
        self.assertEqual(set(names), (alert_names() - {"LrsGatewayInternalErrors"}) | {"LrsSlow"})
        for rule in rules[0]["rules"]:
            self.assertIn('job="lrs-gateway",namespace="lrs"', rule["expr"])

    def test_every_alert_is_explained(self):
        explained = re.findall(r"^\| `(LrsGateway\w+)`", Path("docs/OPERATIONS.md").read_text(), re.M)
        self.assertEqual(sorted(explained), sorted(alert_names()))

    def test_the_dashboard_is_json(self):
        objects = render("monitoring.dashboard.enabled=true", "nameOverride=other")
        text = objects["ConfigMap", "try-other-dashboard"]["data"]["lrs-gateway.json"]
        self.assertNotIn('job="lrs-gateway"', json.dumps(json.loads(text)).replace("\\", ""))


def alert_names():
    rules = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"]
    return {rule["alert"] for group in rules for rule in group["rules"]}


class Notes(unittest.TestCase):
    """What is printed after `helm install`; Helm renders it for a cluster only, so it is put into an object of a copy of the chart."""

    def notes(self, *values):
        with tempfile.TemporaryDirectory() as directory:
            copy = Path(shutil.copytree(CHART, Path(directory) / "lrs-gateway"))
            (copy / "templates/_notes.tpl").write_text('{{ define "notes" }}' + (copy / "templates/NOTES.txt").read_text() + "{{ end }}")
            (copy / "templates/notes.yaml").write_text("{kind: Notes, metadata: {name: notes}, text: {{ include \"notes\" . | toJson }}}")
            return render(*values, chart=copy)["Notes", "notes"]["text"]

    def test_the_first_call_is_ready_to_paste_in_a_sandbox(self):
        notes = self.notes("simulator.enabled=true")
        for part in ["exec deployment/try-lrs-gateway -- lrs-gateway token --organisation 10088881", "3000000126", "port-forward service/try-lrs-gateway 8080:8080"]:
            self.assertIn(part, notes)
        self.assertNotIn("STILL MISSING", notes)

    def test_what_is_missing_is_said(self):
        notes = self.notes()
        for part in ["STILL MISSING: config.auth.issuers", "create secret generic lrs-gateway-organisations", "Without Redis"]:
            self.assertIn(part, notes)
        self.assertIn("curl -sk https://", self.notes("tls.existingSecret=t"))


class Versions(unittest.TestCase):
    def test_one_version_everywhere(self):
        version = tomllib.loads(Path("Cargo.toml").read_text())["package"]["version"]
        dockerfile = Path("Dockerfile").read_text()
        self.assertEqual(yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"], version)
        self.assertIn(f"ARG VERSION={version}\n", dockerfile)
        benches = tomllib.loads(Path("Cargo.toml").read_text())["bench"]
        self.assertEqual([each["name"] for each in benches if f"benches/{each['name']}.rs" not in dockerfile], [], "Dockerfile: cargo wants these to be there")
        services = yaml.safe_load(Path("compose.yaml").read_text())["services"]
        self.assertEqual({services[name]["image"] for name in ("gateway", "simulator")}, {f"lrs-gateway:{version}"})
        toolchain = tomllib.loads(Path("rust-toolchain.toml").read_text())["toolchain"]["channel"]
        self.assertIn(f"FROM rust:{toolchain}-bookworm AS build\n", dockerfile)


if __name__ == "__main__":
    unittest.main(verbosity=1)
