"""Renders the chart's sandbox. Writes its ConfigMap and Secrets as files, as a pod has them, and the script of `helm test`."""

import base64
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

target = Path(sys.argv[1])
helm = Path(sys.executable).parent / "helm"
rendered = subprocess.run([helm, "template", "try", "helm/lrs-gateway", "-f", "helm/lrs-gateway/ci/sandbox-values.yaml"], check=True, capture_output=True)
objects = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(rendered.stdout) if each}
shutil.rmtree(target, ignore_errors=True)
pod = objects["Deployment", "try-lrs-gateway"]["spec"]["template"]["spec"]
for volume in pod["volumes"]:
    directory = target / volume["name"]
    directory.mkdir(parents=True)
    directory.chmod(0o755)
    sources = volume.get("projected", {}).get("sources", [volume])
    for source in sources:
        name = ("Secret", source["secret"]["name"]) if "secret" in source else ("ConfigMap", source["configMap"]["name"])
        if name not in objects:
            assert source["secret"]["optional"], f"{name} was not rendered"
            continue
        files = {key: base64.b64decode(value) for key, value in objects[name].get("data", {}).items()} if name[0] == "Secret" else {}
        texts = objects[name].get("stringData" if name[0] == "Secret" else "data", {})
        for key, content in (files | {key: text.encode() for key, text in texts.items()}).items():
            (directory / key).write_bytes(content)
            (directory / key).chmod(0o444)
(target / "helm-test.sh").write_text(objects["Pod", "try-lrs-gateway-test"]["spec"]["containers"][0]["args"][0])
