"""Tests of the Helm chart: accepted and rejected values, the rendered objects for each switch, and the references between objects."""

import base64
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

from cluster import Cluster

CHART = Path("helm/lrs-gateway")
HELM = Path(sys.executable).parent / "helm"
IMAGE = CHART / "ci/image.yaml"  # The repository of the image, which has no default.
VALID_VALUES = [IMAGE, *sorted((CHART / "ci").glob("*-values.yaml"))]
INVALID_VALUES = sorted((CHART / "ci/wrong").glob("*.yaml"))
KUBERNETES_VERSIONS = ["1.25", "1.34"]  # The oldest version that the chart supports, and a recent one.
CUSTOM_RESOURCES = {"ServiceMonitor", "PrometheusRule", "HTTPRoute"}  # There is no schema to validate them with.

# All metrics of the gateway. The gateway's own tests compare this page with a scrape.
METRICS = set(re.findall(r"^\| `lrs_gateway_(\w+)`", Path("docs/METRICS.md").read_text(), re.M))


def helm(*arguments):
    return subprocess.run([HELM, *map(str, arguments)], capture_output=True, text=True)


def render(*arguments, values=None, chart=CHART, options=()):
    """Returns the rendered objects by kind and name. The arguments are for --set."""
    sets = [part for argument in arguments for part in ("--set", argument)]
    rendered = helm("template", "try", chart, "--namespace", "lrs", "-f", values or IMAGE, *sets, *options)
    if rendered.returncode:
        raise AssertionError(rendered.stderr)
    objects = [each for each in yaml.load_all(rendered.stdout, UniqueKeyLoader) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


class UniqueKeyLoader(yaml.SafeLoader):
    """Rejects a key that is written twice, which Kubernetes' tools reject or resolve in different ways."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise AssertionError(f"written twice: {twice}, {node.start_mark}")
        return super().construct_mapping(node, deep)


def config(objects, name="try-lrs-gateway"):
    return tomllib.loads(objects["ConfigMap", name]["data"]["gateway.toml"])


def gateway(objects, name="try-lrs-gateway"):
    return objects["Deployment", name]["spec"]["template"]


def containers(pod):
    return [*pod.get("initContainers", []), *pod["containers"]]


def pods(objects):
    for (kind, name), each in objects.items():
        if kind == "Deployment":
            yield name, each["spec"]["template"]["metadata"]["labels"], each["spec"]["template"]["spec"]
        if kind == "Pod":
            yield name, each["metadata"]["labels"], each["spec"]


class Values(unittest.TestCase):
    def test_valid_values_are_accepted(self):
        for values in VALID_VALUES:
            with self.subTest(values.name):
                linted = helm("lint", "--strict", CHART, "-f", values)
                self.assertEqual(linted.returncode, 0, linted.stdout + linted.stderr)
                for (kind, name), each in render(values=values).items():
                    for version in KUBERNETES_VERSIONS if kind not in CUSTOM_RESOURCES else []:
                        with self.subTest(object=f"{kind} {name}", kubernetes=version):
                            kubernetes_validate.validate(each, version, strict=True)

    def test_invalid_values_are_rejected_with_a_reason(self):
        self.assertGreater(len(INVALID_VALUES), 10)
        for values in INVALID_VALUES:
            with self.subTest(values.name):
                reason = values.read_text().splitlines()[0].removeprefix("# Refused with: ")
                result = helm("template", "try", CHART, "-f", IMAGE, "-f", values)
                self.assertNotEqual(result.returncode, 0, "the values were accepted")
                self.assertIn(reason, result.stderr)
                self.assertLess(len(result.stderr.splitlines()), 10, result.stderr)

    def test_schema_and_defaults_have_the_same_values(self):
        schema, values = json.loads((CHART / "values.schema.json").read_text()), yaml.safe_load((CHART / "values.yaml").read_text())
        self.assertEqual(set(schema["properties"]) - {"global"}, set(values))
        for name, value in values.items():
            properties = schema["properties"][name].get("properties")
            if properties and name != "config":
                self.assertEqual(set(properties), set(value) | ({"claims"} & set(properties)), name)

    def test_full_values_set_every_value(self):
        # So that each switch is rendered, validated and scanned. The exceptions contradict a value that is set, or belong to a sandbox.
        exceptions = {"nameOverride", "simulator", "topologySpread", "podDisruptionBudget", "listenAddress", "resources", "terminationGracePeriodSeconds",
                      "restartOnReferenceChange", "test"}
        defaults, values = (yaml.safe_load((CHART / name).read_text()) for name in ("values.yaml", "ci/full-values.yaml"))
        self.assertEqual(set(defaults) - set(values), exceptions)

    def test_chart_rendered_twice_has_the_same_bytes(self):
        for values in VALID_VALUES:
            rendered = [helm("template", "try", CHART, "--namespace", "lrs", "-f", values).stdout for _ in range(2)]
            self.assertIn("kind: Deployment", rendered[0])
            self.assertEqual(rendered[0], rendered[1], values.name)


class Switches(unittest.TestCase):
    """Values that add objects or parts of objects."""

    REDIS = ("redis.existingSecret=r", "encryptionKey.existingSecret=k")
    # Values that add the object, values that do not, and the object.
    OPTIONAL_OBJECTS = [
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
        (("simulator.enabled=true",), ("simulator.enabled=true", "simulator.existingTokenSecret=s"), ("Secret", "try-lrs-gateway-sandbox-token")),
        (("simulator.enabled=true",), ("simulator.enabled=true", "networkPolicy.enabled=false"), ("NetworkPolicy", "try-lrs-gateway-simulator")),
        (("ingress.enabled=true", "ingress.hosts[0].host=h", "networkPolicy.enabled=false"), (), ("Ingress", "try-lrs-gateway")),
        (("httpRoute.enabled=true", "httpRoute.parentRefs[0].name=g", "networkPolicy.enabled=false"), (), ("HTTPRoute", "try-lrs-gateway")),
        (("auditFile.enabled=true",), (), ("PersistentVolumeClaim", "try-lrs-gateway-audit")),
        (("auditFile.enabled=true",), ("auditFile.enabled=true", "auditFile.existingClaim=c"), ("PersistentVolumeClaim", "try-lrs-gateway-audit")),
        (("auditFile.enabled=true",), ("auditFile.enabled=true", "auditFile.emptyDir=true"), ("PersistentVolumeClaim", "try-lrs-gateway-audit")),
    ]

    def test_switch_adds_object(self):
        for on, off, optional_object in self.OPTIONAL_OBJECTS:
            with self.subTest(object=optional_object, on=on, off=off):
                self.assertIn(optional_object, render(*on))
                self.assertNotIn(optional_object, render(*off))

    def test_existing_secret_is_mounted_and_configured(self):
        for value, volume, setting in [
            ("issuers.existingSecret=s", "issuers", None),
            ("encryptionKey.existingSecret=s", "store", ("store", "encryption_key_file", "/etc/lrs-gateway/store/store.key")),
            ("auditKey.existingSecret=s", "audit", ("audit", "key_file", "/etc/lrs-gateway/audit/audit.key")),
            ("tls.existingSecret=s", "tls", ("server", "tls", {"certificate_file": "/etc/lrs-gateway/tls/tls.crt", "key_file": "/etc/lrs-gateway/tls/tls.key"})),
            ("authorities.existingConfigMap=s", "authorities", None),
        ]:
            with self.subTest(value):
                for objects, is_mounted in [(render(value), True), (render(), False)]:
                    self.assertEqual(volume in [each["name"] for each in gateway(objects)["spec"]["volumes"]], is_mounted)
                    if setting:
                        section, key, expected = setting
                        self.assertEqual(config(objects).get(section, {}).get(key), expected if is_mounted else None)

    def test_topology_spread_constraints_can_be_disabled(self):
        spec = gateway(render("topologySpread.enabled=false"))["spec"]
        self.assertNotIn("topologySpreadConstraints", spec)
        self.assertEqual(len(gateway(render())["spec"]["topologySpreadConstraints"]), 2)

    def test_replicas_are_set_without_autoscaling_only(self):
        deployment = lambda *values: render(*values)["Deployment", "try-lrs-gateway"]["spec"]
        self.assertEqual(deployment(*self.REDIS, "replicaCount=4")["replicas"], 4)
        self.assertNotIn("replicas", deployment(*self.REDIS, "autoscaling.enabled=true"), "the autoscaler sets the number of replicas")

    def test_redis_url_comes_from_a_secret(self):
        variables = lambda *values: {each["name"]: each for each in gateway(render(*values))["spec"]["containers"][0]["env"]}
        url = variables(*self.REDIS)["LRS_GATEWAY__STORE__REDIS_URL"]["valueFrom"]
        self.assertEqual(url, {"secretKeyRef": {"name": "r", "key": "redis-url"}})
        self.assertNotIn("LRS_GATEWAY__STORE__REDIS_URL", variables())

    def test_network_policy_allows_required_ports_only(self):
        policy = lambda *values: render(*values)["NetworkPolicy", "try-lrs-gateway"]["spec"]
        ports = lambda *values: [[port["port"] for port in rule["ports"]] for rule in policy(*values)["egress"]]
        self.assertEqual(ports(), [[53, 53], [443]])
        self.assertEqual(ports(*self.REDIS, "networkPolicy.redisPorts={6380}"), [[53, 53], [443], [6380]])
        self.assertEqual(ports("simulator.enabled=true"), [[53, 53], [8081], [443]])

    def test_security_contexts_can_be_replaced_and_removed(self):
        contexts = lambda *values: [(pod.get("securityContext"), [each.get("securityContext") for each in pod["containers"]])
                                    for _, _, pod in pods(render("simulator.enabled=true", *values))]
        pod = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
        container = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        self.assertEqual(contexts(), [(pod, [container])] * 3)
        openshift = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        removed = [f"podSecurityContext.{field}=null" for field in ("runAsUser", "runAsGroup", "fsGroup")]
        self.assertEqual(contexts(*removed), [(openshift, [container])] * 3)
        changed = contexts("podSecurityContext.fsGroup=7", "securityContext.runAsUser=8")
        self.assertEqual(changed, [({**pod, "fsGroup": 7}, [{**container, "runAsUser": 8}])] * 3)
        self.assertEqual(contexts("podSecurityContext=null", "securityContext=null"), [(None, [None])] * 3)

    def test_additions_are_in_the_gateway_pod(self):
        spec = gateway(render(values=CHART / "ci/full-values.yaml"), "lrs")["spec"]
        values = yaml.safe_load((CHART / "ci/full-values.yaml").read_text())
        own = spec["containers"][0]
        self.assertEqual([each["name"] for each in spec["containers"]], ["gateway", "audit-shipper"])
        self.assertEqual(spec["containers"][1:], values["extraContainers"])
        self.assertEqual(spec["initContainers"], values["initContainers"])
        self.assertEqual(own["envFrom"], values["extraEnvFrom"])
        self.assertLessEqual({"name": "TZ", "value": "Europe/London"}.items(), own["env"][-1].items())
        self.assertIn(values["extraVolumes"][0], spec["volumes"])
        self.assertIn(values["extraVolumeMounts"][0], own["volumeMounts"])
        for field in ("hostAliases", "dnsPolicy", "dnsConfig"):
            self.assertEqual(spec[field], values[field])
            self.assertNotIn(field, gateway(render())["spec"])

    def test_common_labels_are_on_every_object_and_pod_and_in_no_selector(self):
        full = CHART / "ci/full-values.yaml"
        common = yaml.safe_load(full.read_text())["commonLabels"]
        for objects, common in ((render(values=full), common), (render("simulator.enabled=true", "commonLabels.team=mis"), {"team": "mis"})):
            labelled = [each["metadata"]["labels"] for each in objects.values()] + [labels for _, labels, _ in pods(objects)]
            self.assertGreater(len(labelled), 10)
            for labels in labelled:
                self.assertLessEqual(common.items(), labels.items())
            for (kind, name), each in objects.items():
                self.assertFalse(set(common) & set(re.findall(r'[^"]+', json.dumps(each.get("spec", {}).get("selector", "")))), f"{kind} {name}")
        self.assertEqual(gateway(render())["metadata"]["labels"]["app.kubernetes.io/part-of"], "lrs-gateway")

    def test_deployment_annotations_are_on_the_deployment_only(self):
        deployment = render(values=CHART / "ci/full-values.yaml")["Deployment", "lrs"]
        self.assertEqual(deployment["metadata"]["annotations"], {"reloader.stakater.com/auto": "true"})
        self.assertNotIn("reloader.stakater.com/auto", deployment["spec"]["template"]["metadata"]["annotations"])
        self.assertNotIn("annotations", render()["Deployment", "try-lrs-gateway"]["metadata"])

    def test_ingress_and_route_lead_to_the_api_port(self):
        objects = render(values=CHART / "ci/full-values.yaml")
        ports = {(port["name"], port["port"]) for port in objects["Service", "lrs"]["spec"]["ports"]}
        ingress, route = objects["Ingress", "lrs"], objects["HTTPRoute", "lrs"]
        values = yaml.safe_load((CHART / "ci/full-values.yaml").read_text())
        self.assertEqual(ingress["spec"]["ingressClassName"], "nginx")
        self.assertEqual(ingress["spec"]["tls"], values["ingress"]["tls"])
        self.assertEqual(ingress["metadata"]["annotations"], values["ingress"]["annotations"])
        paths = {(rule["host"], path["path"], path["pathType"]) for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]}
        self.assertEqual(paths, {("lrs.supplier.example", "/", "Prefix"), ("api.supplier.example", "/lrs", "ImplementationSpecific"), ("api.supplier.example", "/v1", "Prefix")})
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                self.assertEqual(path["backend"]["service"], {"name": "lrs", "port": {"name": "api"}})
        self.assertEqual([(each["name"], each["port"]) for each in route["spec"]["rules"][0]["backendRefs"]], [("lrs", 443)])
        self.assertIn(("api", 443), ports)
        for field in ("parentRefs", "hostnames"):
            self.assertEqual(route["spec"][field], values["httpRoute"][field])
        for field in ("matches", "filters"):
            self.assertEqual(route["spec"]["rules"][0][field], values["httpRoute"][field])
        self.assertEqual(route["metadata"]["annotations"], values["httpRoute"]["annotations"])
        protocol = lambda *values: render(*values)["Service", "try-lrs-gateway"]["spec"]["ports"][0]["appProtocol"]
        self.assertEqual((protocol(), protocol("tls.existingSecret=t")), ("http", "https"))

    def test_audit_file_is_one_per_pod_on_a_volume(self):
        volume = lambda *values: next((each for each in gateway(render(*values))["spec"]["volumes"] if each["name"] == "audit-file"), None)
        enabled = ("auditFile.enabled=true",)
        self.assertEqual(volume(*enabled)["persistentVolumeClaim"], {"claimName": "try-lrs-gateway-audit"})
        self.assertEqual(volume(*enabled, "auditFile.existingClaim=c")["persistentVolumeClaim"], {"claimName": "c"})
        self.assertEqual(volume(*enabled, "auditFile.emptyDir=true")["emptyDir"], {"sizeLimit": "10Gi"})
        self.assertIsNone(volume())
        container = gateway(render(*enabled))["spec"]["containers"][0]
        names = [each["name"] for each in container["env"]]
        file = container["env"][names.index("LRS_GATEWAY__AUDIT__FILE")]["value"]
        mount = next(each for each in container["volumeMounts"] if each["name"] == "audit-file")
        self.assertEqual(file, mount["mountPath"] + "/$(POD_NAME).jsonl")
        self.assertNotIn("readOnly", mount)
        self.assertLess(names.index("POD_NAME"), names.index("LRS_GATEWAY__AUDIT__FILE"), "Kubernetes replaces variables that are defined before")
        self.assertNotIn("POD_NAME", str(gateway(render())))
        claim = render(*enabled, "auditFile.storageClassName=fast", "auditFile.size=1Gi")["PersistentVolumeClaim", "try-lrs-gateway-audit"]
        self.assertEqual(claim["spec"], {"accessModes": ["ReadWriteMany"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}})
        self.assertEqual(claim["metadata"]["annotations"], {"helm.sh/resource-policy": "keep"})

    def test_volume_for_one_pod_is_released_before_the_next_pod_starts(self):
        strategy = lambda *values: render(*values)["Deployment", "try-lrs-gateway"]["spec"]["strategy"]["type"]
        one = ("auditFile.enabled=true", "auditFile.accessMode=ReadWriteOnce")
        self.assertEqual(strategy(*one), "Recreate")
        self.assertEqual(strategy(*one, "auditFile.emptyDir=true"), "RollingUpdate")
        self.assertEqual(strategy("auditFile.enabled=true"), "RollingUpdate")
        self.assertEqual(strategy("auditFile.accessMode=ReadWriteOnce"), "RollingUpdate")

    def test_autoscaler_uses_each_metric_that_has_a_target(self):
        def targets(*values):
            metrics = render(*self.REDIS, "autoscaling.enabled=true", *values)["HorizontalPodAutoscaler", "try-lrs-gateway"]["spec"]["metrics"]
            return {each["resource"]["name"]: each["resource"]["target"]["averageUtilization"] for each in metrics}
        self.assertEqual(targets(), {"cpu": 70})
        self.assertEqual(targets("autoscaling.targetMemoryUtilizationPercentage=300"), {"cpu": 70, "memory": 300})
        self.assertEqual(targets("autoscaling.targetMemoryUtilizationPercentage=300", "autoscaling.targetCPUUtilizationPercentage=0"), {"memory": 300})

    def test_secrets_are_rendered_for_a_sandbox_only(self):
        for values in VALID_VALUES:
            is_sandbox = "sandbox" in values.name
            self.assertEqual(any(kind == "Secret" for kind, _ in render(values=values)), is_sandbox, values.name)


class Configuration(unittest.TestCase):
    def test_configuration_values_are_written_unchanged_to_gateway_toml(self):
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

    def test_changed_configuration_restarts_pods_and_changed_secret_does_not(self):
        checksum = lambda *values: gateway(render(*values))["metadata"]["annotations"]["checksum/config"]
        self.assertEqual(checksum(), checksum("image.tag=v9", "organisations.existingSecrets={a,b}"))
        self.assertNotIn("checksum/references", gateway(render("restartOnReferenceChange=false"))["metadata"]["annotations"])
        self.assertNotEqual(checksum(), checksum("config.lrs.timeout_seconds=9"))
        organisations = next(each for each in gateway(render())["spec"]["volumes"] if each["name"] == "organisations")
        self.assertEqual(organisations["projected"]["sources"], [{"secret": {"name": "lrs-gateway-organisations"}}])

    def test_directories_are_mounted_and_no_single_files(self):
        # Kubernetes updates the files of a mounted directory, but not a file that is mounted with subPath.
        for values in VALID_VALUES:
            for name, _, pod in pods(render(values=values)):
                for container in containers(pod):
                    self.assertFalse([each for each in container.get("volumeMounts", []) if "subPath" in each], name)


class InCluster(unittest.TestCase):
    """Rendering with a cluster, whose Secrets and ConfigMaps the chart looks up."""

    def render(self, objects, *values):
        with tempfile.TemporaryDirectory() as directory, Cluster(objects, Path(directory) / "kubeconfig") as cluster:
            return render(*values, options=("--dry-run=server", "--kubeconfig", cluster.kubeconfig))

    def test_changed_reference_restarts_pods_and_reloaded_secret_does_not(self):
        values = ("issuers.existingSecret=i", "redis.existingSecret=r", "encryptionKey.existingSecret=e", "auditKey.existingSecret=a", "tls.existingSecret=t",
                  "authorities.existingConfigMap=c", "organisations.existingSecrets={o}")
        objects = {("secrets", name): {"metadata": {"resourceVersion": "1"}} for name in "ireato"} | {("configmaps", "c"): {"metadata": {"resourceVersion": "1"}}}
        checksum = lambda objects: gateway(self.render(objects, *values))["metadata"]["annotations"]["checksum/references"]
        first = checksum(objects)
        self.assertEqual(first, checksum(objects))
        for key in objects:
            changed = checksum({**objects, key: {"metadata": {"resourceVersion": "2"}}})
            (self.assertEqual if key[1] in "to" else self.assertNotEqual)(first, changed, f"{key} was changed")

    def test_existing_key_of_a_sandbox_is_kept(self):
        key = lambda objects: self.render(objects, "simulator.enabled=true")["Secret", "try-lrs-gateway-sandbox-token"]["data"]["sandbox-token.secret"]
        self.assertEqual(key({("secrets", "try-lrs-gateway-sandbox-token"): {"data": {"sandbox-token.secret": "b2xk"}}}), "b2xk")
        self.assertGreaterEqual(len(base64.b64decode(key({}))), 32)


class Objects(unittest.TestCase):
    """References between objects, and the restrictions of containers."""

    def test_pods_and_containers_have_minimum_privileges(self):
        for values in VALID_VALUES:
            for name, _, pod in pods(render(values=values)):
                with self.subTest(values=values.name, pod=name):
                    self.assertFalse(pod["automountServiceAccountToken"] or pod["enableServiceLinks"])
                    self.assertTrue(pod["securityContext"]["runAsNonRoot"])
                    if "openshift" in values.name:
                        self.assertFalse({"runAsUser", "runAsGroup", "fsGroup"} & set(pod["securityContext"]), "OpenShift assigns them")
                    else:
                        self.assertGreater(pod["securityContext"]["runAsUser"], 10000)
                    self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                    for container in containers(pod):
                        security = container["securityContext"]
                        self.assertTrue(security["readOnlyRootFilesystem"])
                        self.assertFalse(security["allowPrivilegeEscalation"])
                        self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
                        self.assertIn("memory", container["resources"]["limits"])
                        self.assertIn("cpu", container["resources"]["requests"])

    def test_probes_use_admin_port(self):
        pod = gateway(render())["spec"]
        container = pod["containers"][0]
        probes = {probe: (container[probe]["httpGet"]["path"], container[probe]["httpGet"]["port"]) for probe in container if probe.endswith("Probe")}
        expected = {"startupProbe": "/health/live", "livenessProbe": "/health/live", "readinessProbe": "/health/ready"}
        self.assertEqual(probes, {probe: (path, "admin") for probe, path in expected.items()})
        self.assertEqual(config(render())["server"], {"listen": "0.0.0.0:8080", "admin_listen": "0.0.0.0:9090"})
        self.assertEqual([(port["name"], port["containerPort"]) for port in container["ports"]], [("api", 8080), ("admin", 9090)])
        self.assertEqual(pod["terminationGracePeriodSeconds"], 75)
        self.assertNotIn("lifecycle", container)

    def test_every_volume_is_mounted_and_every_mount_has_a_volume(self):
        for values in VALID_VALUES:
            for name, _, pod in pods(render(values=values)):
                volumes = [each["name"] for each in pod.get("volumes", [])]
                self.assertEqual(len(volumes), len(set(volumes)))
                mounts = {each["name"] for container in containers(pod) for each in container.get("volumeMounts", [])}
                self.assertEqual(set(volumes), mounts, f"{values.name}: {name}")

    def test_selectors_match_the_pods_of_their_component(self):
        for values in VALID_VALUES:
            objects = render(values=values)
            labels = {name: labels for name, labels, _ in pods(objects)}
            matching = lambda selector: [name for name, each in labels.items() if selector.items() <= each.items()]
            gateway_name = next(name for kind, name in objects if kind == "HorizontalPodAutoscaler" or kind == "Deployment" and not name.endswith("simulator"))
            for (kind, name), each in objects.items():
                with self.subTest(values=values.name, kind=kind, name=name):
                    expected = [name if name.endswith("simulator") else gateway_name]
                    if kind == "Service":
                        self.assertEqual(matching(each["spec"]["selector"]), expected)
                        ports = [port["name"] for _, _, pod in pods(objects) for container in pod["containers"] for port in container.get("ports", [])]
                        self.assertLessEqual({port["targetPort"] for port in each["spec"]["ports"]}, set(ports))
                    if kind == "NetworkPolicy":
                        self.assertEqual(matching(each["spec"]["podSelector"]["matchLabels"]), expected)
                    if kind in ("Deployment", "PodDisruptionBudget"):
                        self.assertEqual(matching(each["spec"]["selector"]["matchLabels"]), expected)
                    if kind == "HorizontalPodAutoscaler":
                        self.assertIn((each["spec"]["scaleTargetRef"]["kind"], each["spec"]["scaleTargetRef"]["name"]), objects)
                    if kind == "ServiceMonitor":
                        services = [service for (kind, _), service in objects.items() if kind == "Service"
                                    and each["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()]
                        self.assertEqual([port["name"] for service in services for port in service["spec"]["ports"]], ["admin"])
                        self.assertEqual([endpoint["port"] for endpoint in each["spec"]["endpoints"]], ["admin"])

    def test_image_digest_is_part_of_image_name(self):
        image = lambda *values: gateway(render(*values))["spec"]["containers"][0]["image"]
        self.assertEqual(image(), "lrs-gateway:0.1.0")
        digest = "sha256:" + "0123456789abcdef" * 4
        self.assertEqual(image("image.tag=v9", f"image.digest={digest}"), f"lrs-gateway:v9@{digest}")


class Monitoring(unittest.TestCase):
    def test_alerts_and_dashboard_together_use_exactly_the_documented_metrics(self):
        alerts, dashboard = ((CHART / "files" / name).read_text() for name in ("alerts.yaml", "dashboard.json"))
        used = {re.sub("_(bucket|count)$", "", name) for name in re.findall(r"lrs_gateway_(\w+)", alerts + dashboard)}
        self.assertEqual(used, METRICS)

    def test_alerts_select_this_release_and_excluded_alerts_are_absent(self):
        rules = render(values=CHART / "ci/full-values.yaml")["PrometheusRule", "lrs"]["spec"]["groups"]
        names = [rule["alert"] for group in rules for rule in group["rules"]]
        self.assertEqual(set(names), (alert_names() - {"LrsGatewayInternalErrors"}) | {"LrsSlow"})
        for rule in rules[0]["rules"]:
            self.assertIn('job="lrs-gateway",namespace="lrs"', rule["expr"])

    def test_every_alert_is_documented(self):
        documented = re.findall(r"^\| \[`(LrsGateway\w+)`", Path("docs/ALERTS.md").read_text(), re.M)
        self.assertEqual(sorted(documented), sorted(alert_names()))

    def test_dashboard_is_json_for_this_release(self):
        objects = render("monitoring.dashboard.enabled=true", "nameOverride=other")
        text = objects["ConfigMap", "try-other-dashboard"]["data"]["lrs-gateway.json"]
        self.assertNotIn('job="lrs-gateway"', json.dumps(json.loads(text)).replace("\\", ""))


def alert_names():
    rules = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"]
    return {rule["alert"] for group in rules for rule in group["rules"]}


class Notes(unittest.TestCase):
    """The text after `helm install`. Helm renders it for a cluster only, so the test puts it into an object of a copy of the chart."""

    def notes(self, *values):
        with tempfile.TemporaryDirectory() as directory:
            copy = Path(shutil.copytree(CHART, Path(directory) / "lrs-gateway"))
            (copy / "templates/_notes.tpl").write_text('{{ define "notes" }}' + (copy / "templates/NOTES.txt").read_text() + "{{ end }}")
            (copy / "templates/notes.yaml").write_text("{kind: Notes, metadata: {name: notes}, text: {{ include \"notes\" . | toJson }}}")
            return render(*values, chart=copy)["Notes", "notes"]["text"]

    def test_notes_of_sandbox_have_commands_for_first_call(self):
        notes = self.notes("simulator.enabled=true")
        for part in ["exec deployment/try-lrs-gateway -- lrs-gateway token --organisation 10088881", "3000000126", "port-forward service/try-lrs-gateway 8080:8080"]:
            self.assertIn(part, notes)
        self.assertNotIn("STILL MISSING", notes)

    def test_notes_list_missing_values(self):
        notes = self.notes()
        for part in ["STILL MISSING: config.auth.issuers", "create secret generic lrs-gateway-organisations", "Without Redis"]:
            self.assertIn(part, notes)
        self.assertIn("curl -sk https://", self.notes("tls.existingSecret=t"))

    def test_notes_warn_of_a_key_that_is_not_secret_and_an_audit_file_that_is_lost(self):
        for warning, on, off in [
            ("signing key of this sandbox is not secret", ("simulator.enabled=true",), ("simulator.enabled=true", "simulator.existingTokenSecret=s")),
            ("WARNING: the audit trail", ("auditFile.enabled=true", "auditFile.emptyDir=true"), ("auditFile.enabled=true",)),
        ]:
            self.assertIn(warning, self.notes(*on))
            self.assertNotIn(warning, self.notes(*off))
            self.assertNotIn(warning, self.notes())

    def test_notes_have_the_hosts_of_ingress_and_route(self):
        open_policy = "networkPolicy.enabled=false"
        notes = self.notes(open_policy, "ingress.enabled=true", "ingress.hosts[0].host=a.example", "ingress.hosts[1].host=b.example")
        self.assertIn("The Ingress leads a.example to the API.\nThe Ingress leads b.example to the API.\n", notes)
        self.assertIn("HTTPRoute leads every host name", self.notes(open_policy, "httpRoute.enabled=true", "httpRoute.parentRefs[0].name=g"))


class Versions(unittest.TestCase):
    def test_versions_are_the_same_in_all_files(self):
        version = tomllib.loads(Path("Cargo.toml").read_text())["package"]["version"]
        dockerfile = Path("Dockerfile").read_text()
        self.assertEqual(yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"], version)
        self.assertIn(f"ARG VERSION={version}\n", dockerfile)
        benches = tomllib.loads(Path("Cargo.toml").read_text())["bench"]
        self.assertEqual([each["name"] for each in benches if f"benches/{each['name']}.rs" not in dockerfile], [], "benchmarks that the Dockerfile must create, because Cargo requires their files")
        services = yaml.safe_load(Path("compose.yaml").read_text())["services"]
        self.assertEqual({services[name]["image"] for name in ("gateway", "simulator")}, {f"lrs-gateway:{version}"})
        toolchain = tomllib.loads(Path("rust-toolchain.toml").read_text())["toolchain"]["channel"]
        self.assertRegex(dockerfile, rf"(?m)^FROM rust:{re.escape(toolchain)}-bookworm@sha256:[0-9a-f]{{64}} AS base$")
        stages = re.findall(r"(?m)^FROM (\S+)(?: AS (\w+))?$", dockerfile)
        known = {"scratch"} | {name for _, name in stages}
        self.assertEqual([image for image, _ in stages if image not in known and "@sha256:" not in image], [], "base images without a digest")

    def test_dockerfile_names_no_processor(self):
        self.assertNotRegex(Path("Dockerfile").read_text(), "x86_64|aarch64|lib/[a-z0-9_]+-linux-gnu|--platform")

    def test_compose_redis_keeps_what_it_confirmed(self):
        command = yaml.safe_load(Path("compose.yaml").read_text())["services"]["redis"]["command"]
        settings = dict(zip(command[1::2], command[2::2]))
        self.assertEqual(settings, {"--appendonly": "yes", "--maxmemory-policy": "noeviction"})


if __name__ == "__main__":
    unittest.main(verbosity=1)
