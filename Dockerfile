# Image of the gateway: the program and the four libraries that it needs. It has no shell and no package manager, and an unprivileged user.
#
#   docker build -t lrs-gateway:0.1.0 .
#   docker run --rm lrs-gateway:0.1.0                                 # lists the commands
#   docker run --rm -p 8080:8080 lrs-gateway:0.1.0 demo --listen 0.0.0.0:8080
#   docker run … -v /path/to/configuration:/etc/lrs-gateway:ro lrs-gateway:0.1.0 serve
#
# docs/OPERATIONS.md, "Run as a container", describes the options. `make test-deploy` builds and runs the image. Nothing here depends on the
# processor: amd64 and arm64 are built in the same way.

# Compiler version of rust-toolchain.toml. The digest is that of the image for all processors. To find the digest of a new version:
# docker buildx imagetools inspect rust:1.95.0-bookworm
FROM rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS base
WORKDIR /build
# An empty program with the dependencies of the gateway.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY derive derive
RUN mkdir src benches \
    && touch benches/hot_path.rs benches/limits.rs benches/batch_acceptance.rs \
    && echo '//! Empty.' > src/lib.rs \
    && echo 'fn main() {}' > src/main.rs

# Write the software bill of materials: the crates of Cargo.lock that are in the program.
FROM base AS sbom
RUN cargo install --locked --debug --version 0.5.9 cargo-cyclonedx \
    && cargo cyclonedx --format json --spec-version 1.5 --override-filename lrs-gateway.cdx

FROM base AS build
# Build the dependencies. This layer stays in the cache until Cargo.lock or a derive changes.
RUN cargo build --release --locked

# Build the program, with its documentation. Copied files keep their times: without `touch`, cargo would consider the empty program newer.
COPY src src
COPY CHANGELOG.md CONTRIBUTING.md SECURITY.md compose.yaml deny.toml ./
COPY docs docs
COPY examples examples
COPY helm helm
RUN touch src/lib.rs src/main.rs && cargo build --release --locked

# Collect the files of the image. Security scanners read var/lib/dpkg/status.d to identify the libraries.
COPY LICENSE ./
COPY --from=sbom /build/lrs-gateway.cdx.json ./
RUN mkdir -p /image/etc/lrs-gateway /image/usr/local/bin /image/usr/share/doc/lrs-gateway /image/var/lib/dpkg/status.d \
    && cp target/release/lrs-gateway /image/usr/local/bin/ \
    && cp LICENSE /image/usr/share/doc/lrs-gateway/ \
    && cp lrs-gateway.cdx.json /image/usr/share/doc/lrs-gateway/sbom.cdx.json \
    && ldd target/release/lrs-gateway > /tmp/ldd \
    && grep -o '/[^ ]*' /tmp/ldd > /tmp/libraries \
    && xargs -a /tmp/libraries cp -L --parents -t /image \
    && cp -L --parents -t /image /etc/os-release /usr/share/doc/libc6/copyright /usr/share/doc/libgcc-s1/copyright \
    && dpkg -s libc6 > /image/var/lib/dpkg/status.d/libc6 \
    && dpkg -s libgcc-s1 > /image/var/lib/dpkg/status.d/libgcc-s1 \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
# Address of the repository from which the image is built.
ARG SOURCE=
LABEL org.opencontainers.image.title="lrs-gateway" \
      org.opencontainers.image.description="A JSON gateway to the SOAP web services of the Learning Records Service (LRS)" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /image /
# A numeric user lets Kubernetes verify that it is not root.
USER 65532:65532
WORKDIR /etc/lrs-gateway
ENV PATH=/usr/local/bin \
    LRS_GATEWAY_CONFIG=/etc/lrs-gateway/gateway.toml
# API and admin listener.
EXPOSE 8080 9090
# Without a command the program lists its commands and exits with code 2: a deployment that forgets `serve` must not run the demonstration.
ENTRYPOINT ["/usr/local/bin/lrs-gateway"]
