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
# The secrets that settings make for themselves must not become part of an image that is shared.
RUN python manage.py collectstatic --noinput --verbosity 0 \
    && rm -f var/secret_key var/encryption_key \
    && useradd --system --no-create-home batchboard \
    && mkdir /data \
    && chown -R batchboard var /data

USER batchboard
ENV BATCHBOARD_BIND=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, http.client as h; c = h.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); c.request('GET', '/healthz', headers={'Host': os.environ.get('ALLOWED_HOSTS', 'localhost').split(',')[0].strip().lstrip('.')}); raise SystemExit(c.getresponse().status != 200)"]
CMD ["gunicorn", "-c", "dashboard/gunicorn.py", "dashboard.wsgi"]
