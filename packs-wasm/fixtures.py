"""Writes the binary fixtures of the packs' cases. Standard library only; the same bytes every time."""

import gzip
import io
import pathlib
import tarfile
import zipfile

HERE = pathlib.Path(__file__).parent
DATE = (2000, 1, 1, 0, 0, 0)


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            if content is None:  # a symbolic link
                info.external_attr = 0o120777 << 16
                content = b"/etc/passwd"
            archive.writestr(info, content)
    return out.getvalue()


def tarred(members, compress=True):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                archive.addfile(info)
    return gzip.compress(out.getvalue(), mtime=0) if compress else out.getvalue()


def write(pack, name, content):
    folder = HERE / pack / "cases" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def docx():
    def p(text, style=None, item=False):
        properties = (f'<w:pStyle w:val="{style}"/>' if style else "") + ("<w:numPr/>" if item else "")
        return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"

    def row(*cells):
        return "<w:tr>" + "".join(f"<w:tc>{p(cell)}</w:tc>" for cell in cells) + "</w:tr>"

    body = p("Yearly report", "Title") + p("Sales &amp; costs", "Heading2") + p("We sold more pens than ever.")
    body += p("Pens", item=True) + p("Ink", item=True)
    body += "<w:tbl>" + row("Item", "Price") + row("Pen", "2") + "</w:tbl>" + p("The end.")
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    return zipped([("word/document.xml", f"<w:document {space}><w:body>{body}</w:body></w:document>")])


def xlsx():
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    sheet = f"""{head}<worksheet {main}><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>Item</t></is></c><c r="B1" t="inlineStr"><is><t>Price</t></is></c></row>
<row r="2"><c r="A2" t="inlineStr"><is><t>Pen</t></is></c><c r="B2"><v>2.5</v></c></row>
</sheetData></worksheet>"""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return zipped([
        ("[Content_Types].xml", f'{head}<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>'),
        ("_rels/.rels", f'{head}<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>'),
        ("xl/workbook.xml", f'{head}<workbook {main} xmlns:r="{relations}"><sheets><sheet name="Prices" sheetId="1" r:id="r1"/></sheets></workbook>'),
        ("xl/_rels/workbook.xml.rels", f'{head}<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'),
        ("xl/worksheets/sheet1.xml", sheet),
    ])


def pdf():
    text = b"BT /F1 24 Tf 72 720 Td (Invoice 2041) Tj 0 -40 Td /F1 12 Tf (Two pens and a bottle of ink.) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


GOOD = [("release/README.md", b"# Release\n"), ("release/bin/tool", b"\x7fELF\x00\xff"), ("release/empty", b"")]

write("doc-parse", "report.docx", docx())
write("doc-parse", "prices.xlsx", xlsx())
write("doc-parse", "invoice.pdf", pdf())
for pack in ("archive-list", "archive-extract"):
    write(pack, "good.zip", zipped(GOOD))
    write(pack, "good.tar.gz", tarred(GOOD))
    write(pack, "traversal.zip", zipped([("ok.txt", b"fine"), ("../../evil.txt", b"evil")]))
write("archive-list", "good.tar", tarred(GOOD, compress=False))
write("archive-extract", "absolute.tar.gz", tarred([("ok.txt", b"fine"), ("/etc/evil.txt", b"evil")]))
write("archive-extract", "symlink.zip", zipped([("ok.txt", b"fine"), ("link", None)]))
write("archive-extract", "symlink.tar.gz", tarred([("link", (tarfile.SYMTYPE, "/etc")), ("link/evil.txt", b"evil")]))
write("archive-extract", "hardlink.tar.gz", tarred([("ok.txt", b"fine"), ("link", (tarfile.LNKTYPE, "ok.txt"))]))
write("archive-extract", "bomb.zip", zipped([("zeros", bytes(48 << 20))]))
write("archive-extract", "bomb.tar.gz", tarred([("zeros", bytes(48 << 20))]))
write("archive-extract", "broken.zip", zipped(GOOD)[:-30])
