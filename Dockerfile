FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

COPY manage.py ./
COPY batches batches
COPY dashboard dashboard
COPY templates templates
COPY static static

# The image contains the static files, so that the web process needs no folder for them.
ENV BATCHBOARD_STATIC_ROOT=/app/collected
# Secrets that the settings generate must not become part of a shared image.
RUN BATCHBOARD_VAR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && rm -r /tmp/build \
    && useradd --uid 1000 --no-create-home batchboard \
    && install -d -o batchboard /data

USER batchboard
# A volume for SQLite's database and for generated secrets.
VOLUME /data
ENV BATCHBOARD_VAR=/data BATCHBOARD_BIND=0.0.0.0 PORT=8000
EXPOSE 8000
# No HEALTHCHECK: the worker runs this image with `python manage.py worker` and has no port.
CMD ["gunicorn", "-c", "dashboard/gunicorn.py", "dashboard.wsgi"]
