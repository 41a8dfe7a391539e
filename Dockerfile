# Image of the gateway: the program and the four libraries that it needs. It has no shell and no package manager, and an unprivileged user.
#
#   docker build -t lrs-gateway:0.1.0 .
#   docker run --rm -p 8080:8080 lrs-gateway:0.1.0                    # demonstration
#   docker run … -v /path/to/configuration:/etc/lrs-gateway:ro lrs-gateway:0.1.0 serve
#
# docs/OPERATIONS.md, "Run as a container", describes the options. `make test-deploy` builds and runs the image.

# Compiler version of rust-toolchain.toml.
FROM rust:1.95.0-bookworm AS build
WORKDIR /build

# Build the dependencies with an empty program. This layer stays in the cache until Cargo.lock or a derive changes.
COPY Cargo.toml Cargo.lock ./
COPY derive derive
RUN mkdir src benches \
    && touch benches/hot_path.rs benches/limits.rs benches/batch_acceptance.rs \
    && echo '//! Empty.' > src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked

# Build the program. Copied files keep their times: without `touch`, cargo would consider the empty program newer.
COPY src src
RUN touch src/lib.rs src/main.rs && cargo build --release --locked

# Collect the files of the image. Security scanners read var/lib/dpkg/status.d to identify the libraries.
COPY LICENSE ./
RUN mkdir -p /image/etc/lrs-gateway /image/usr/local/bin /image/usr/share/doc/lrs-gateway /image/var/lib/dpkg/status.d \
    && cp target/release/lrs-gateway /image/usr/local/bin/ \
    && cp LICENSE /image/usr/share/doc/lrs-gateway/ \
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
LABEL org.opencontainers.image.title="lrs-gateway" \
      org.opencontainers.image.description="A JSON gateway to the SOAP web services of the Learning Records Service (LRS)" \
      org.opencontainers.image.licenses="MIT" \
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
ENTRYPOINT ["/usr/local/bin/lrs-gateway"]
CMD ["demo", "--listen", "0.0.0.0:8080"]
