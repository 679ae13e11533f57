"""Writes the binary fixtures of the packs' cases. Standard library only; the same bytes every time."""

import gzip
import io
import pathlib
import tarfile
import zipfile

HERE = pathlib.Path(__file__).parent
DATE = (2000, 1, 1, 0, 0, 0)


def zipped(members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type = method
            if content is None:  # a symbolic link
                info.external_attr = 0o120777 << 16
                content = b"/etc/passwd"
            archive.writestr(info, content)
    return out.getvalue()


def encrypted(archive):
    """Says of the archive's first entry, in both of its headers, that it is encrypted."""
    archive = bytearray(archive)
    archive[6] |= 1
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(archive)


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


WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def p(text, style=None, item=False, more=""):
    properties = (f'<w:pStyle w:val="{style}"/>' if style else "") + ("<w:numPr/>" if item else "") + more
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def document(body, *parts):
    body = f"<w:document {WORD}><w:body>{body}</w:body></w:document>"
    return zipped([("word/document.xml", body), *parts])


def docx():
    def row(*cells):
        return "<w:tr>" + "".join(f"<w:tc>{p(cell)}</w:tc>" for cell in cells) + "</w:tr>"

    body = p("Yearly report", "Title") + p("Sales &amp; costs", "Heading2") + p("We sold more pens than ever.")
    body += p("Pens", item=True) + p("Ink", item=True)
    body += "<w:tbl>" + row("Item", "Price") + row("Pen", "2") + "</w:tbl>" + p("The end.")
    return document(body)


def docx_of_another_language():
    def style(id, name, properties="", base=""):
        base = f'<w:basedOn w:val="{base}"/>' if base else ""
        return f'<w:style w:styleId="{id}"><w:name w:val="{name}"/>{base}<w:pPr>{properties}</w:pPr></w:style>'

    styles = style("Titre", "Title") + style("Titre1", "heading 1", '<w:outlineLvl w:val="0"/>')
    styles += style("Chapitre", "Chapitre", base="Titre1") + style("Corps", "Body Text")
    body = p("Le phare", "Titre") + p("La lampe", "Chapitre") + p("Elle tourne.", "Corps")
    body += p("Le soir", "Corps", more='<w:outlineLvl w:val="2"/>')
    choice = f'<mc:Choice Requires="wps">{p("Une note.")}</mc:Choice><mc:Fallback>{p("Une note.")}</mc:Fallback>'
    body += f"<w:p><w:r><mc:AlternateContent>{choice}</mc:AlternateContent></w:r></w:p>"
    return document(body, ("word/styles.xml", f"<w:styles {WORD}>{styles}</w:styles>"))


PRICES = """<row r="1"><c r="A1" t="inlineStr"><is><t>Item</t></is></c><c r="B1" t="inlineStr"><is><t>Price</t></is></c></row>
<row r="2"><c r="A2" t="inlineStr"><is><t>Pen</t></is></c><c r="B2"><v>2.5</v></c></row>"""

# A date, a date with its time, a time of day, a duration of more than a day, and a date that is written out.
DATES = """<row r="1"><c r="A1" s="1"><v>45943</v></c><c r="B1" s="2"><v>45943.5</v></c><c r="C1" s="3"><v>0.25</v></c>\
<c r="D1" s="4"><v>1.5</v></c><c r="E1" t="d"><v>2024-02-29</v></c><c r="F1"><v>45943</v></c></row>"""


def xlsx(rows):
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    sheet = f"{head}<worksheet {main}><sheetData>\n{rows}\n</sheetData></worksheet>"
    formats = "".join(f'<xf numFmtId="{id}"/>' for id in (0, 14, 22, 20, 46))
    styles = f'{head}<styleSheet {main}><cellXfs count="5">{formats}</cellXfs></styleSheet>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return zipped([
        ("[Content_Types].xml", f'{head}<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>'),
        ("_rels/.rels", f'{head}<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>'),
        ("xl/workbook.xml", f'{head}<workbook {main} xmlns:r="{relations}"><sheets><sheet name="Prices" sheetId="1" r:id="r1"/></sheets></workbook>'),
        ("xl/_rels/workbook.xml.rels", f'{head}<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{relations}/styles" Target="styles.xml"/></Relationships>'),
        ("xl/styles.xml", styles),
        ("xl/worksheets/sheet1.xml", sheet),
    ])


INVOICE = b"BT /F1 24 Tf 72 720 Td (Invoice 2041) Tj 0 -40 Td /F1 12 Tf (Two pens and a bottle of ink.) Tj ET"

# Words that are placed and not spaced; a number raised; two columns; a line in a box that has been moved; a form.
LINES = b"""BT /F1 10 Tf 72 700 Td [(Pe) -30 (ns) -250 (and ink)] TJ 100 0 Td (2.50) Tj 0 -12 TD (next) Tj T* (last) Tj
1 0 0 1 72 600 Tm (E = mc) Tj /F1 6 Tf 30 4 Td (2) Tj ET
q 1 0 0 1 0 -300 cm BT /F1 10 Tf 72 700 Td (moved) Tj ET Q /Stamp Do"""

# Codes of a font that does not say what they are, between words of one that does.
UNREAD = b"BT /F1 12 Tf 72 720 Td (Before) Tj /F2 12 Tf <00410042> Tj /F1 12 Tf 0 -20 Td (after) Tj ET"


def pdf(*pages):
    fonts = b"/Font << /F1 3 0 R /F2 4 0 R >> /XObject << /Stamp 5 0 R >>"
    stamp = b"BT /F1 12 Tf 72 50 Td (PAID) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>"
        % (b" ".join(b"%d 0 R" % (6 + 2 * n) for n in range(len(pages))), len(pages)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding /FirstChar 32 /LastChar 126"
        b" /Widths [%s] >>" % b" ".join([b"500"] * 95),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Unknown /Encoding /Identity-H /DescendantFonts [] >>",
        b"<< /Type /XObject /Subtype /Form /BBox [0 0 595 842] /Length %d >>\nstream\n%s\nendstream"
        % (len(stamp), stamp),
    ]
    for number, content in enumerate(pages):
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources << %s >> >>"
            % (7 + 2 * number, fonts),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
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
write("doc-parse", "phare.docx", docx_of_another_language())
write("doc-parse", "too-large.docx", document(" " * (64 << 20)))
write("doc-parse", "prices.xlsx", xlsx(PRICES))
write("doc-parse", "dates.xlsx", xlsx(DATES))
write("doc-parse", "invoice.pdf", pdf(INVOICE))
write("doc-parse", "lines.pdf", pdf(LINES, INVOICE))
write("doc-parse", "unread.pdf", pdf(UNREAD))
write("doc-parse", "scanned.pdf", pdf(b"q 595 0 0 842 0 0 cm Q", b""))
for pack in ("archive-list", "archive-extract"):
    write(pack, "good.zip", zipped(GOOD))
    write(pack, "good.tar.gz", tarred(GOOD))
    write(pack, "traversal.zip", zipped([("ok.txt", b"fine"), ("../../evil.txt", b"evil")]))
write("archive-list", "good.tar", tarred(GOOD, compress=False))
write("archive-list", "encrypted.zip", encrypted(zipped([("secret.txt", b"secret"), ("open.txt", b"open")])))
write("archive-list", "bzip2.zip", zipped([("12:30.txt", b"half past twelve")], zipfile.ZIP_BZIP2))
write("archive-extract", "encrypted.zip", encrypted(zipped([("secret.txt", b"secret"), ("open.txt", b"open")])))
write("archive-extract", "colon.tar.gz", tarred([("12:30.txt", b"half past twelve")]))
write("archive-extract", "twice.tar.gz", tarred([("a.txt", b"first"), ("a.txt", b"second")]))
spoilt = zipped([("a.txt", b"new"), ("b.txt", b"as it should be")], zipfile.ZIP_STORED)
write("archive-extract", "spoilt.zip", spoilt.replace(b"as it should", b"as it is not"))
write("archive-extract", "absolute.tar.gz", tarred([("ok.txt", b"fine"), ("/etc/evil.txt", b"evil")]))
write("archive-extract", "symlink.zip", zipped([("ok.txt", b"fine"), ("link", None)]))
write("archive-extract", "symlink.tar.gz", tarred([("link", (tarfile.SYMTYPE, "/etc")), ("link/evil.txt", b"evil")]))
write("archive-extract", "hardlink.tar.gz", tarred([("ok.txt", b"fine"), ("link", (tarfile.LNKTYPE, "ok.txt"))]))
write("archive-extract", "bomb.zip", zipped([("zeros", bytes(48 << 20))]))
write("archive-extract", "bomb.tar.gz", tarred([("zeros", bytes(48 << 20))]))
write("archive-extract", "broken.zip", zipped(GOOD)[:-30])
