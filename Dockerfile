# The operator: one bundled file on a base that has Node 24 at /nodejs/bin/node, and need have nothing else, not even a shell.
#
#   make image                      # with Docker or Podman
#   make image BASE=… TAG=…         # on another base, under another name
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
# Names are looked up on half of these threads, which a slow name server keeps for some 20 s: users choose the registries' names.
ENV UV_THREADPOOL_SIZE=32
# Room for garbage, in MB: with Node's own choice a burst of work takes 100 MB more, which the process then keeps.
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=4", "/operator.mjs"]
