"""The cloud: what Google Cloud needs so that all of this runs there, as commands of gcloud.

Written with the standard library alone, so that it runs inside Google's own image with gcloud, where none of this
package's requirements are installed: `PYTHONPATH=src python3 -m animals.cloud STEP`.
"""
