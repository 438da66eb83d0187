"""The finished model for other programs: made when asked for, and not otherwise."""

from transformers import AutoModelForCausalLM

from documented_outputs import undocumented
from workspace import Workspace, jobs

FORMATS = ["safetensors-bf16", "adapter-pretrain", "adapter-sft"]


def test_the_model_is_written_for_other_programs(done: Workspace) -> None:
    assert not list(done.root.glob("results/export/*"))
    (done.root / "export.yaml").write_text(f"export: {{formats: [{', '.join(FORMATS)}], max_shard_size: 1MB}}\n")
    settings = ("--configfile", "config/demo.yaml", "export.yaml", "--directory", ".")
    done.make("export", *settings)

    folder = done.root / "results" / "export"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FORMATS)
    files = list((folder / "safetensors-bf16").glob("*.safetensors"))
    assert files
    assert all(path.stat().st_size < 1.1e6 for path in files)
    assert str(AutoModelForCausalLM.from_pretrained(folder / "safetensors-bf16").dtype) == "torch.bfloat16"
    assert (folder / "adapter-sft" / "README.md").is_file()
    assert undocumented(done.root / "results") == []
    assert list(jobs(done.make("-n", "export", *settings))) == []

    # This vocabulary was learned with leading punctuation, for which llama.cpp has no code.
    refused = done.snakemake("results/export/gguf-f16/manifest.json")
    assert refused.status == 1
    assert len(refused.errors) == 1
    assert "set tokenizer.leading_marks: false" in refused.errors[0]
    assert not list(folder.glob("*gguf*"))
