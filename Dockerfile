# One image for all of Millrace's programs: the command says which.  Its stage is `runtime`:
#
#     docker build --target runtime -t millrace .
#
# Plain instructions alone, so that the classic builder builds it as well as BuildKit.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
# for those whose packages come from a mirror; an empty one is as none
ARG PIP_INDEX_URL
COPY requirements-production.txt /srv/millrace/
RUN python -m venv --without-pip /opt/millrace \
    && python -m pip --python /opt/millrace/bin/python --no-cache-dir --disable-pip-version-check \
        install --only-binary :all: --require-hashes -r /srv/millrace/requirements-production.txt \
    # of Arrow a fifth: what is for building against it, for its tests, and for a protocol of its own
    && cd /opt/millrace/lib/python3*/site-packages/pyarrow \
    && rm -rf include tests *flight*
# .dockerignore names what this is
COPY . /srv/millrace/
# installed in place: programs and their files lie as in a checkout, and `millrace` is a command.
# setuptools did that, and nothing needs it any more
RUN python -m pip --python /opt/millrace/bin/python --no-cache-dir --disable-pip-version-check \
        install --no-deps --no-build-isolation --editable /srv/millrace \
    && python -m pip --python /opt/millrace/bin/python uninstall --yes setuptools \
    && /opt/millrace/bin/python -m compileall -q /srv/millrace \
    # all that is imported is there
    && /opt/millrace/bin/python -c "import app.main, cli.main, lb.main, scaler.main, worker.main, worker.keeping.main, segments.rounds, columnar.engine"

FROM ${PYTHON_IMAGE} AS runtime
# a number, so that it can be told without this image's list of users
RUN groupadd --system --gid 10001 millrace \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /tmp \
        --shell /usr/sbin/nologin millrace \
    # a volume that is mounted here is theirs, as this is
    && mkdir -p /var/lib/millrace/segments \
    && chown -R 10001:10001 /var/lib/millrace
COPY --from=build /opt/millrace /opt/millrace
COPY --from=build /srv/millrace /srv/millrace
ENV PATH=/opt/millrace/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/millrace
USER 10001:10001
CMD ["millrace", "--help"]

# The load test's image; Millrace itself is not in it.
FROM ${PYTHON_IMAGE} AS load-test
ARG PIP_INDEX_URL
COPY requirements-load.txt /srv/loadtest/
RUN python -m venv --without-pip /opt/locust \
    && python -m pip --python /opt/locust/bin/python --no-cache-dir --disable-pip-version-check \
        install --only-binary :all: --require-hashes -r /srv/loadtest/requirements-load.txt
COPY loadtest /srv/loadtest
ENV PATH=/opt/locust/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
WORKDIR /srv/loadtest
USER 10001:10001
ENTRYPOINT ["locust"]
