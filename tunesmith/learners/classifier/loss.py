"""Cross-entropy with label smoothing, and supervised contrast between the rows of a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

TEMPERATURE = 0.1


def supervised_contrast(features: Tensor, labels: Tensor) -> Tensor:
    """Pull rows of one label together and apart from others: mean over rows that have a partner.

    features [B, F], labels [B]. Khosla et al., arXiv 2004.11362, equation 2, at temperature 0.1.
    Zero when no row has a partner.
    """
    unit = normalize(features, dim=1)
    self_mask = torch.eye(len(labels), dtype=torch.bool)
    similarity = (unit @ unit.T / TEMPERATURE).masked_fill(self_mask, -1e9)  # (B, B)
    partners = (labels[:, None] == labels[None, :]) & ~self_mask  # (B, B)
    log_share = similarity - similarity.logsumexp(1, keepdim=True)
    counts = partners.sum(1)
    paired = counts > 0
    if not bool(paired.any()):
        return features.sum() * 0
    return -((log_share * partners).sum(1)[paired] / counts[paired]).mean()
