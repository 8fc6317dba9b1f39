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

# The static files belong to the image, so that web needs no folder of its own for them.
ENV BATCHBOARD_STATIC_ROOT=/app/collected
# The secrets that settings generate must not become part of an image that is shared.
RUN BATCHBOARD_VAR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && rm -r /tmp/build \
    && useradd --uid 1000 --no-create-home batchboard \
    && install -d -o batchboard /data

USER batchboard
# SQLite's database, and the secrets that are not given, survive in a volume here.
VOLUME /data
ENV BATCHBOARD_VAR=/data BATCHBOARD_BIND=0.0.0.0 PORT=8000
EXPOSE 8000
# No HEALTHCHECK: the worker, which is the same image with `python manage.py worker`, has no port.
CMD ["gunicorn", "-c", "dashboard/gunicorn.py", "dashboard.wsgi"]
