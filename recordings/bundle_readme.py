"""What a bundle says of itself, in Chinese and English."""

README_ZH = """\
一通电话的证据包

  call.json, decisions.json, notes.json   通话、拨打前的合规判定、催收记录
  recordings.json, incidents.json, receipts.json   录音清单、异常、删除凭证
  legs/*.wav      每一路的录音，与交换机写下的逐样本一致
  call.flac       合成的通话：左声道为我方，右声道为对方（由 legs 合成，便于收听）
  journal.jsonl   与此通话有关的全部日志，一行一条，包括谁听过、谁导出过及理由
  proofs.json     每条日志在日志树中的包含证明（RFC 6962）
  checkpoint.txt  日志树的签名检查点；log-key.pub 为验签公钥
  manifest.json, manifest.sig   文件清单及其签名

如何核验（无需信任我们，也无需联网）：

  1. 从独立渠道取得 verify_bundle.py、公钥 log-key.pub 和检查点副本 checkpoints-*.txt。
  2. python3 verify_bundle.py 本文件.zip --key log-key.pub --checkpoints checkpoints-*.txt
  3. 任何一个字节被改动、任何一条日志被删去、插入或调换，都会被指出。

录音的 PCM 数据的 SHA-256 即 journal.jsonl 中 recording.ready 的 pcm_sha256。
本包含有个人信息，仅限注明的用途。
"""

README_EN = """\
The evidence of one call

  call.json, decisions.json, notes.json   the call, the verdicts that allowed it, the notes on it
  recordings.json, incidents.json, receipts.json   its recordings, what was in doubt, what was deleted
  legs/*.wav      the recording of each leg, sample for sample what the PBX wrote
  call.flac       the call composed of them to listen to: left our side, right the other party
  journal.jsonl   every journal entry of this call, one a line: who heard it, who exported it and why
  proofs.json     the proof that each of them is in the log (RFC 6962)
  checkpoint.txt  the log's signed checkpoint; log-key.pub is the key to check it with
  manifest.json, manifest.sig   the list of files, and its signature

How to check it, offline and without trusting us:

  1. Get verify_bundle.py, the public key log-key.pub and a copy of the checkpoints from somewhere else than here.
  2. python3 verify_bundle.py THIS.zip --key log-key.pub --checkpoints checkpoints-*.txt
  3. Any byte that was changed, any entry that was left out, put in or moved is pointed out.

SHA-256 of a leg's samples is `pcm_sha256` of its `recording.ready` entry in journal.jsonl.
This bundle holds personal data, for the purpose stated only.
"""
