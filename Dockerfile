# The operator: one bundled file on a base image with Node 24 at /nodejs/bin/node. The base needs nothing else, not even a shell.
#
#   make image                      # with Docker or Podman
#   make image BASE=… TAG=…         # with another base image and another tag
ARG BASE=gcr.io/distroless/nodejs24-debian12:nonroot
FROM ${BASE}
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="AppRelease operator" \
      org.opencontainers.image.description="Versioned container rollouts over pools of VMs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY LICENSE dist/operator.mjs /
USER 65532:65532
# DNS look-ups use half of these threads, and a slow name server blocks one for about 20 s. Users choose the registries' names.
ENV UV_THREADPOOL_SIZE=32
# Otherwise each thread keeps memory of its own that no other thread can use: 16 MB with 200 releases.
ENV MALLOC_ARENA_MAX=2
# Size of the young generation, in MB: with Node's default, a burst of work takes 100 MB more, which the process then keeps.
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=4", "/operator.mjs"]
