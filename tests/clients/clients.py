"""The clients of `make test-clients`: their languages, and how each is made."""

import dataclasses
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples/clients"
# The document and the programs of the first version, once `make client-baseline` has made them.
BASELINE = ROOT / "tests/clients/v1-baseline"

# What each program does, in the order of its lines.
TASKS = ("exact match", "problem", "obtain ULN", "registration batch", "newer answers")


@dataclasses.dataclass(frozen=True)
class Client:
    name: str
    language: str
    generator: str
    # Its directory has a Makefile with the targets install (if it needs one), generate, compile and run.
    directory: pathlib.Path
    document: pathlib.Path = ROOT / "openapi/openapi.json"
    document_3_0: pathlib.Path = ROOT / "openapi/openapi-3.0.json"

    @property
    def output(self):
        return ROOT / "target/clients" / self.name


def example(name, language, generator):
    return Client(name, language, generator, EXAMPLES / name)


def baseline(name, language, generator):
    return Client(f"v1-{name}", language, f"{generator}, from the document of v1", BASELINE / name, BASELINE / "openapi.json")


# The slowest first: they decide how long a run takes.
CLIENTS = [
    example("rust", "Rust", "progenitor"),
    example("kotlin", "Kotlin", "openapi-generator"),
    example("go", "Go", "openapi-generator"),
    example("java", "Java", "openapi-generator"),
    example("python-openapi-python-client", "Python", "openapi-python-client"),
    example("python-openapi-generator", "Python", "openapi-generator"),
    example("typescript-openapi-fetch", "TypeScript", "openapi-typescript, openapi-fetch"),
    example("typescript-hey-api", "TypeScript", "@hey-api/openapi-ts"),
    example("csharp", "C#", "openapi-generator"),
    example("csharp-nswag", "C#", "NSwag"),
    example("php", "PHP", "openapi-generator"),
    example("ruby", "Ruby", "openapi-generator"),
]
if BASELINE.is_dir():
    CLIENTS += [
        baseline("java", "Java", "openapi-generator"),
        baseline("typescript-openapi-fetch", "TypeScript", "openapi-typescript, openapi-fetch"),
    ]
