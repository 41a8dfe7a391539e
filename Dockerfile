# The image: the program, the four libraries it needs, and nothing else. No shell, no package manager, an ordinary user.
#
#   docker build -t lrs-gateway:0.1.0 .
#   docker run --rm -p 8080:8080 lrs-gateway:0.1.0                    # the demonstration, to be tried at once
#   docker run … -v /path/to/configuration:/etc/lrs-gateway:ro lrs-gateway:0.1.0 serve
#
# docs/OPERATIONS.md, "As a container", tells more; `make test-deploy` builds it and runs it.

# The compiler of rust-toolchain.toml.
FROM rust:1.95.0-bookworm AS build
WORKDIR /build

# Dependencies first, against an empty program: this layer stays as it is until Cargo.lock changes.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src benches \
    && touch benches/hot_path.rs benches/limits.rs benches/batch_acceptance.rs \
    && echo '//! Empty.' > src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked

# Then the program itself. Files keep their times when they are copied: without `touch`, cargo would take the empty program for newer.
COPY src src
RUN touch src/lib.rs src/main.rs && cargo build --release --locked

# What goes into the image. Security scanners read var/lib/dpkg/status.d, to know which libraries these are.
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
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /etc/lrs-gateway
ENV PATH=/usr/local/bin \
    LRS_GATEWAY_CONFIG=/etc/lrs-gateway/gateway.toml
# The API, and the operators' own port.
EXPOSE 8080 9090
ENTRYPOINT ["/usr/local/bin/lrs-gateway"]
CMD ["demo", "--listen", "0.0.0.0:8080"]
