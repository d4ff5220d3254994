# flo2 as one image: `manage.py up` runs gateway, worker and sandbox. Secrets come from outside.
FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home flo2 && mkdir -p /data && chown flo2 /data
COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py ./
COPY accounts accounts
COPY billing billing
COPY dashboard dashboard
COPY gateway_project gateway_project
COPY routing routing
COPY templates templates
COPY static static
USER flo2
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 FLO2_DATA_DIR=/data FLO2_HOST=0.0.0.0
VOLUME /data
EXPOSE 8000
HEALTHCHECK CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=3)"
CMD ["sh", "-c", "python manage.py migrate --noinput && exec python manage.py up"]
