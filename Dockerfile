FROM oven/bun:1.4.5 AS build
WORKDIR /skep
COPY package.json bun.lock ./
COPY client/package.json client/
RUN bun install --frozen-lockfile --production --ignore-scripts
COPY . .
# A volume takes its owner and mode from the folder in the image.
RUN bun scripts/build.ts && install -d -m 0700 /volumes/data

# glibc and nothing else: no shell, no package manager. Pin it by digest where you build for others.
FROM gcr.io/distroless/base-nossl-debian12:nonroot
COPY --from=build /skep/dist/skep /skep
COPY --from=build --chown=65532:65532 /volumes/ /
ENV HOST=0.0.0.0 \
    PORT=3000 \
    DATA_DIR=/data
# By number: where a cluster insists on a user that is not root, it cannot look up a name.
USER 65532:65532
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["/skep", "health"]
ENTRYPOINT ["/skep"]
CMD ["serve"]
